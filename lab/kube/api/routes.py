"""Which path goes where: discovery, OpenAPI, health, and resources by verb."""

from __future__ import annotations

from aiohttp import web

from lab.kube import catalog as discovery
from lab.kube.access import Access, User
from lab.kube.api import bodies, execution, openapi, subresources
from lab.kube.api.bodies import Encoder, raw_reply, reply
from lab.kube.api.reading import Reader
from lab.kube.api.request import Query, Target, query, target, verb
from lab.kube.api.reviews import is_review, review
from lab.kube.api.streaming import Streamer
from lab.kube.api.writing import APPLY, Writer, options_of
from lab.kube.catalog import Catalog
from lab.kube.errors import Forbidden, MethodNotAllowed, NotFound
from lab.kube.objects import Obj, uid_of
from lab.kube.store import Store

_AGGREGATED = "g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_DISCOVERY_DEPTH = {"api": 2, "apis": 3}


class Routes:
    """One instance per server. ``version`` is the Kubernetes version to call ourselves, like ``1.35``."""

    def __init__(self, store: Store, catalog: Catalog, access: Access, version: str) -> None:
        self._store = store
        self._catalog = catalog
        self._access = access
        self._version = version
        encoder = Encoder()
        self._encoder = encoder
        self._reader = Reader(store, encoder)
        self._writer = Writer(store)
        self._streamer = Streamer(store, encoder)

    async def answer(self, request: web.Request, user: User) -> web.StreamResponse:
        path = request.path.rstrip("/")
        if path in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        if path == "/version":
            return reply(version_info(self._version))
        parts = path.strip("/").split("/")
        if _discovers(request.method, parts):
            self._access.require_known(user, request.path)
            return self._openapi(path) if parts[0] == "openapi" else self._discover(request, parts)
        if request.method == "POST" and is_review(path):
            return reply(review(self._access, user, path, await bodies.read(request)), 201)
        where = target(self._catalog, path)
        self._authorize(request, user, where)
        return await self._resource(request, where)

    def _authorize(self, request: web.Request, user: User, where: Target) -> None:
        """An apply of what is not there yet is a creation too; a command by WebSocket is one since 1.35."""
        self._access.require(user, where.asked(verb(request, where)))
        if where.subresource == "exec" and not self._access.allows(user, where.asked("create")):
            raise Forbidden(f'{where.resource} "{where.name}" is forbidden: ')
        plain = where.name and not where.subresource and request.content_type == APPLY
        if plain and self._store.get(where.resource, where.namespace, where.name) is None:
            self._access.require(user, where.asked("create"))

    def _openapi(self, path: str) -> web.Response:
        if path == "/openapi/v2":
            return reply(openapi.v2())
        parts = path.split("/")[3:]
        if not parts:
            return reply(openapi.index(self._catalog))
        group, version = (parts[1], parts[2]) if parts[0] == "apis" and len(parts) == 3 else ("", parts[-1])
        return reply(openapi.document(self._catalog, group, version))

    def _discover(self, request: web.Request, parts: list[str]) -> web.Response:
        core = parts[0] == "api"
        if len(parts) == 1 and _AGGREGATED in request.headers.get("Accept", ""):
            response = reply(discovery.aggregated(self._catalog, core=core))
            response.headers["Content-Type"] = f"application/json;{_AGGREGATED}"
            return response
        match parts:
            case ["api"]:
                return reply({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
            case ["api", version]:
                return reply(discovery.resource_list(self._catalog, "", version))
            case ["apis"]:
                return reply(discovery.group_list(self._catalog))
            case ["apis", group]:
                return reply(discovery.group(self._catalog, group))
            case _:
                return reply(discovery.resource_list(self._catalog, parts[1], parts[2]))

    async def _resource(self, request: web.Request, where: Target) -> web.StreamResponse:
        if where.subresource not in ("", "status"):
            return await self._subresource(request, where)
        if where.subresource and not where.resource.has_status:
            raise NotFound("the server could not find the requested resource")
        match verb(request, where):
            case "watch":
                return await self._streamer.stream(request, where)
            case "get":
                return self._reader.get(request, where)
            case "list":
                return self._reader.many(request, where)
            case action:
                return self._write(request, where, action, await bodies.read(request))

    def _write(self, request: web.Request, where: Target, action: str, body: object) -> web.Response:
        asked = query(request)
        match action:
            case "create":
                return self._object(where, self._writer.create(where, body, asked), asked, 201)
            case "update":
                return self._object(where, self._writer.update(where, body, asked), asked)
            case "patch":
                new, created = self._writer.patch(where, request.content_type, body, asked)
                return self._object(where, new, asked, 201 if created else 200)
            case "delete":
                gone = self._writer.delete(where, options_of(body, request.query), asked)
                return reply(_deleted(where, gone))
            case _:
                found = self._writer.delete_all(where, options_of(body, request.query), asked)
                kind, version = where.resource.kind, where.resource.api_version
                return reply({"kind": f"{kind}List", "apiVersion": version, "metadata": {}, "items": found})

    def _object(self, where: Target, obj: Obj, asked: Query, status: int = 200) -> web.Response:
        version = where.resource.api_version
        dry = reply({**obj, "apiVersion": version}, status) if asked.dry else None
        response = dry or raw_reply(self._encoder.object(obj, version), status)
        for warning in asked.warned:
            quoted = warning.replace('"', '\\"')
            response.headers.add("Warning", f'299 - "{quoted}"')
        return response

    async def _subresource(self, request: web.Request, where: Target) -> web.StreamResponse:
        name = where.subresource
        if name not in where.resource.subresources:
            raise NotFound("the server could not find the requested resource")
        if name == "exec":
            return await execution.run(self._store, request, where)
        if name == "log":
            return await execution.logs(self._store, request, where)
        answer = self._below(request.method, where, await bodies.read(request), query(request))
        return reply(answer, 201 if request.method == "POST" else 200)

    def _below(self, method: str, where: Target, body: object, asked: Query) -> Obj:
        store, writer = self._store, self._writer
        match method, where.subresource:
            case "GET", "scale":
                return subresources.scale_of(store.require(where.resource, where.namespace, where.name))
            case "PUT", "scale":
                return subresources.rescale(store, writer, where, body, asked)
            case "PATCH", "scale":
                return subresources.patch_scale(store, writer, where, body, asked)
            case "POST", "eviction":
                return subresources.evict(store, where, body, asked)
            case "POST", "binding":
                return subresources.bind(store, where, body)
            case "POST", "token":
                return subresources.token(store, self._access, where, body)
            case "PUT", "finalize":
                return writer.update(where, body, asked)
        raise MethodNotAllowed("the server does not allow this method on the requested resource")


def _discovers(method: str, parts: list[str]) -> bool:
    return method == "GET" and (parts[0] == "openapi" or len(parts) <= {"api": 2, "apis": 3}.get(parts[0], 0))


def _deleted(where: Target, obj: Obj) -> Obj:
    """The object while something still holds it, else a Status, as the real API answers."""
    if "deletionTimestamp" in obj["metadata"]:
        return {**obj, "apiVersion": where.resource.api_version}
    about = {"name": where.name, "kind": where.resource.plural, "uid": uid_of(obj)}
    if where.resource.group:
        about["group"] = where.resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": about}


def version_info(version: str) -> Obj:
    """``/version``; a bare minor like ``1.35`` is told as its .0 release."""
    numbers = [*version.split("."), "0", "0"][:3]
    return {
        "major": numbers[0],
        "minor": numbers[1],
        "gitVersion": "v" + ".".join(numbers),
        "gitCommit": "simulated",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none: simulated",
        "compiler": "none: simulated",
        "platform": "linux/amd64",
    }
