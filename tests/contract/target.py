"""What the contract suite talks to: one API server and the calls that the tests make of it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from kubernetes import config

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        return self.body[key]


@dataclass(frozen=True, slots=True)
class Target:
    """One API server. ``simulated`` tells whether it is ours.

    ``restart`` ends the API server and starts it again with everything it had stored; None where the cluster
    is not ours to touch.
    """

    kubeconfig: Path
    simulated: bool
    restart: Callable[[], None] | None = None

    def kubectl(self, *words: str, stdin: str = "", ok: bool = True) -> str:
        return self.program("kubectl", *words, stdin=stdin, ok=ok)

    def program(self, *words: str, stdin: str = "", ok: bool = True) -> str:
        """Standard output (and error, if it was meant to fail) of a client program."""
        done = subprocess.run(
            words,
            input=stdin,
            text=True,
            capture_output=True,
            timeout=60,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            check=False,
        )
        assert (done.returncode == 0) is ok, f"{words}: {done.stdout}\n{done.stderr}"
        return done.stdout if ok else done.stdout + done.stderr


class Api:
    """Raw JSON through the official client, as the product does it."""

    def __init__(self, target: Target) -> None:
        self._client = config.new_client_from_config(config_file=str(target.kubeconfig))

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        **query: str,
    ) -> Answer:
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": "contract/1"}
        self._client.update_params_for_auth(headers, [], ["BearerToken"])
        response = self._client.rest_client.pool_manager.request(
            method,
            f"{self.host}{path}{f'?{urlencode(query)}' if query else ''}",
            body=None if body is None else json.dumps(body).encode(),
            headers=headers,
            timeout=20,
        )
        return Answer(response.status, _parsed(response.data), response.headers)

    @property
    def host(self) -> str:
        return str(self._client.configuration.host)

    @property
    def authority(self) -> str:
        """The file with the certificate that signs the server's."""
        return str(self._client.configuration.ssl_ca_cert)

    def get(self, path: str, **query: str) -> Answer:
        return self.call("GET", path, **query)

    def patch(self, path: str, body: object, kind: str, **query: str) -> Answer:
        """``kind``: merge, strategic, json or apply."""
        types = {
            "merge": "application/merge-patch+json",
            "strategic": "application/strategic-merge-patch+json",
            "json": "application/json-patch+json",
            "apply": "application/apply-patch+yaml",
        }
        return self.call("PATCH", path, body, content_type=types[kind], **query)

    def lines(self, path: str, **query: str) -> list[Json]:
        """A watch's events until the server ends it (``timeoutSeconds``)."""
        answer = self.call("GET", path, watch="true", **query)
        assert answer.code == 200, answer
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        return [json.loads(line) for line in text.splitlines() if line]


def _parsed(raw: bytes) -> Any:
    text = raw.decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


def eventually(check: Callable[[], object], seconds: float = 30.0) -> Any:
    """The first true answer of ``check``; fails with its last answer when the time is up."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"did not come true within {seconds} s: {found!r}"
        time.sleep(0.05)
    return found
