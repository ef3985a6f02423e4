"""One connection pool to one API server: JSON in, JSON out, and every failure as an error of ours."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from yaml import YAMLError

from rollout.errors import StepFailed, Unreachable
from rollout.model.site import Kubernetes

JsonObject = dict[str, Any]

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
POOL = 8
"""Connections kept: the engine's thread and the sampler's, with room for a watch each."""

FORBIDDEN = 403
RIGHTS = (
    "give the kubeconfig's user what roles/kubernetes/runner-rbac.yaml grants (`rackroll check KUBE-RIGHTS` says "
    "what is missing), then `rackroll resume`"
)

DOUBT = (0.2, 0.4, 0.8)
"""Seconds: an API server that has just started forbids everything until it has read its roles (350 ms were seen)."""

_CONNECT = 3.0  # seconds
_READ = 15.0  # seconds between bytes
_SILENT_WEBHOOK = "failed calling webhook"
_SERVER_BUSY = frozenset({500, 502, 503, 504})
_STORE_BUSY = ("etcdserver:", "rpc error:", "context deadline exceeded", "context canceled", "timed out")
"""What an API server passes on from its store, as a 500 of the same form as its own last words on a request."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The API's own words for a request that it answered and did not grant; ``told`` if in a ``Status`` object."""

    code: int
    reason: str
    message: str
    told: bool = True

    def __str__(self) -> str:
        return f"{self.message or self.reason} (HTTP {self.code}{f', {self.reason}' if self.reason else ''})"


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``path`` is already quoted; ``body`` is anything that JSON can say."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    content_type: str = "application/json"


class Refused(Exception):
    """Inside this package only: callers that expect 404, 409 or 429 look at ``refusal.code``."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class KubeApi:
    """Thread-safe: urllib3's pool is, and nothing else is kept between calls."""

    def __init__(self, api_client: Any, where: str) -> None:
        self.client = api_client
        self.where = where

    def get(self, path: str, **query: str) -> JsonObject:
        return self.request("GET", path, query=query)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> JsonObject:
        """Raises :class:`Refused` when the API says no, :class:`Unreachable` when it does not answer."""
        return parsed(self._asked(Call(method, path, query or {}, body, content_type)), self.where)

    def text(self, path: str, query: Mapping[str, str]) -> bytes:
        """A GET's answer as it came, for who reads only a little of much. Raises as :meth:`request`."""
        return self._asked(Call("GET", path, query))

    def _asked(self, call: Call) -> bytes:
        """What is forbidden is asked again before it is believed: nothing has happened, and see :data:`DOUBT`."""
        for pause in DOUBT:
            try:
                return self._answer(call)
            except Refused as refused:
                if refused.refusal.code != FORBIDDEN:
                    raise
            time.sleep(pause)
        return self._answer(call)

    def _answer(self, call: Call) -> bytes:
        with self._response(call, urllib3.Timeout(connect=_CONNECT, read=_READ)) as response:
            return bytes(response.data)

    @contextmanager
    def stream(self, path: str, query: Mapping[str, str], quiet: float) -> Iterator[Iterator[bytes]]:
        """Lines of a watch as they come; silence longer than ``quiet`` seconds is an error."""
        with self._response(Call("GET", path, query), urllib3.Timeout(connect=_CONNECT, read=quiet)) as found:
            yield _lines(found)

    @contextmanager
    def _response(self, call: Call, timeout: urllib3.Timeout) -> Iterator[urllib3.BaseHTTPResponse]:
        """Past the client's ``call_api``, which turns a TLS failure into an AttributeError.

        A body that was read to its end has given its connection back; closing drops only an unfinished one.
        """
        try:
            response = self._send(call, timeout)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise unreachable(self.where, error) from None
        try:
            if not 200 <= response.status < 300:
                raise _refused(response, self.where)
            yield response
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise unreachable(self.where, error) from None
        finally:
            response.close()

    def _send(self, call: Call, timeout: urllib3.Timeout) -> urllib3.BaseHTTPResponse:
        headers = {**self.client.default_headers, "Accept": "application/json"}
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        self.client.update_params_for_auth(headers, [], ["BearerToken"])
        query = f"?{urlencode(call.query)}" if call.query else ""
        pool: urllib3.PoolManager = self.client.rest_client.pool_manager
        return pool.request(
            call.method,
            f"{self.client.configuration.host}{call.path}{query}",
            body=None if call.body is None else json.dumps(call.body).encode(),
            headers=headers,
            timeout=timeout,
            preload_content=False,
        )


def connect(kubernetes: Kubernetes) -> KubeApi:
    """The site's kubeconfig and context; nothing is contacted yet."""
    api_client = _client(kubernetes)
    return KubeApi(api_client, f"kubernetes {api_client.configuration.host}")


def _client(kubernetes: Kubernetes) -> Any:

    path = kubernetes.kubeconfig
    settings = client.Configuration()
    settings.connection_pool_maxsize = POOL
    settings.retries = urllib3.Retry(
        total=2, connect=2, read=1, redirect=0, backoff_factor=0.1, respect_retry_after_header=False
    )
    try:
        config.load_kube_config(
            str(path), context=kubernetes.context, client_configuration=settings, persist_config=False
        )
    except (ConfigException, YAMLError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unreachable(
            f"the kubeconfig cannot be used: {' '.join(str(error).split())}",
            where=str(path),
            hint="check kubernetes.kubeconfig and .context in site.yaml; `rackroll lab up` writes a lab's",
        ) from None
    return client.ApiClient(configuration=settings)


def unreachable(where: str, error: Exception) -> Unreachable:
    return Unreachable(
        f"the Kubernetes API does not answer: {_short(error)}",
        where=where,
        hint="check that the API server runs and that the kubeconfig names it",
    )


def failed(refused: Refused, where: str, what: str, hint: str = "") -> StepFailed:
    """What RBAC forbids has one remedy, whatever was being done."""
    forbidden = refused.refusal.code == FORBIDDEN
    return StepFailed(f"{what}: {refused.refusal}", where=where, hint=RIGHTS if forbidden else hint)


def parsed(data: bytes, where: str) -> JsonObject:
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        text = data[:200].decode(errors="replace")
        raise Unreachable(f"the answer is not a Kubernetes object: {text!r}", where=where)
    return value


def _refused(response: urllib3.BaseHTTPResponse, where: str) -> Exception:
    """What the server says is its answer; 401 and a bare 5xx mean that there is no API to talk to.

    A webhook that does not answer is no refusal either (one that says no is "denied", and a 4xx): what a chart has just
    brought serves some seconds after its Deployment is ready, once its certificate has reached the API.
    """
    refusal = _refusal(response)
    if refusal.code == 401:
        return Unreachable(
            f"the Kubernetes API refuses our credentials: {refusal}",
            where=where,
            hint="renew the credentials in the kubeconfig",
        )
    if refusal.code in _SERVER_BUSY and not (refusal.reason or _final(refusal)):
        return unreachable(where, RuntimeError(str(refusal)))
    if refusal.code == 500 and _SILENT_WEBHOOK in refusal.message:
        return Unreachable(
            f"the Kubernetes API cannot ask a webhook: {refusal}",
            where=where,
            hint="look at the pods behind the service that it names; what was just installed needs a moment",
        )
    return Refused(refusal)


def _final(refusal: Refusal) -> bool:
    """A 500 without a reason that asking again will not change: a second budget over a pod, a field of no schema."""
    passing = any(words in refusal.message for words in _STORE_BUSY)
    return refusal.code == 500 and refusal.told and bool(refusal.message) and not passing


def _refusal(response: urllib3.BaseHTTPResponse) -> Refusal:
    body = response.data.decode(errors="replace")
    try:
        status = json.loads(body)
    except ValueError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        return Refusal(response.status, "", body.strip()[:300] or str(response.reason or ""), told=False)
    return Refusal(response.status, str(status.get("reason") or ""), str(status.get("message") or ""))


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """A chunk may end in the middle of a line, and a line in the middle of a character."""
    pending = b""
    for chunk in response.stream(decode_content=False):
        *complete, pending = (pending + chunk).split(b"\n")
        yield from (line for line in complete if line.strip())


def _short(error: Exception) -> str:
    """urllib3 nests the cause three deep; people need the innermost words once."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, Exception) and reason is not error:
        return _short(reason)
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__).split(": ", 1)[-1]
