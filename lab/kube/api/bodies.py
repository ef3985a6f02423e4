"""Request bodies in, response bodies out."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

import yaml
from aiohttp import web

from lab.kube.api import protobuf
from lab.kube.errors import ApiError, BadRequest, UnsupportedMediaType
from lab.kube.objects import Obj

_YAML = ("application/yaml", "application/apply-patch+yaml")
_JSON = (
    "application/json",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)


async def read(request: web.Request) -> Any:
    """The decoded body, None when there is none. Raises BadRequest, or 415 for an unknown media type."""
    data = await request.read()
    if not data:
        return None
    kind = request.content_type
    try:
        if kind == protobuf.MEDIA_TYPE:
            return protobuf.decode(data)
        if kind in _YAML and not data.lstrip().startswith(b"{"):
            return yaml.load(data, Loader=_Loader)  # noqa: S506  (a SafeLoader)
        if kind in _JSON or kind in _YAML or kind == "application/octet-stream":
            return json.loads(data)
    except (ValueError, yaml.YAMLError) as error:
        raise BadRequest(f"unable to decode the request body: {error}") from error
    raise UnsupportedMediaType(f"the body of the request was in an unknown format: {kind}")


class _Loader(yaml.CSafeLoader):
    """YAML without dates: Kubernetes timestamps are text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in rows if tag != "tag:yaml.org,2002:timestamp"]
    for first, rows in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Encoder:
    """JSON of stored objects, remembered by identity and version: a list of thousands is mostly a join."""

    def __init__(self, limit: int = 20_000) -> None:
        self._limit = limit
        self._known: OrderedDict[tuple[str, str, str], bytes] = OrderedDict()

    def object(self, obj: Obj, api_version: str) -> bytes:
        meta = obj["metadata"]
        key = (meta.get("uid", ""), meta.get("resourceVersion", ""), api_version)
        if not all(key):
            return dumps({**obj, "apiVersion": api_version})
        found = self._known.get(key)
        if found is None:
            found = dumps(obj if obj["apiVersion"] == api_version else {**obj, "apiVersion": api_version})
            self._known[key] = found
            if len(self._known) > self._limit:
                self._known.popitem(last=False)
        return found

    def list(self, kind: str, api_version: str, meta: Obj, items: list[Obj]) -> bytes:
        head = dumps({"kind": f"{kind}List", "apiVersion": api_version, "metadata": meta})
        return head[:-1] + b',"items":[' + b",".join(self.object(o, api_version) for o in items) + b"]}"


def reply(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=dumps(value), status=status, content_type="application/json")


def raw_reply(data: bytes, status: int = 200) -> web.Response:
    return web.Response(body=data, status=status, content_type="application/json")


def failure(error: ApiError) -> web.Response:
    response = reply(error.status(), error.code)
    seconds = error.details.get("retryAfterSeconds")
    if seconds is not None:
        response.headers["Retry-After"] = str(seconds)
    return response
