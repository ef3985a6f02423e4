"""One API request, taken apart: which resource, which object, which verb, which options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from lab.kube.access import Asked
from lab.kube.catalog import Catalog
from lab.kube.errors import BadRequest, MethodNotAllowed, NotFound
from lab.kube.patch.fields import Manager
from lab.kube.resource import NAMESPACES, Resource


@dataclass(frozen=True, slots=True)
class Target:
    """``/apis/<group>/<version>[/namespaces/<ns>]/<plural>[/<name>[/<sub>]]``."""

    resource: Resource
    namespace: str | None
    name: str
    subresource: str

    def asked(self, verb: str) -> Asked:
        """In RBAC's words. A namespace is asked for in itself."""
        whole = f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural
        space = self.name if self.resource == NAMESPACES else self.namespace
        return Asked(verb, self.resource.group, whole, space or "", self.name)


def target(catalog: Catalog, path: str) -> Target:
    """Raises NotFound for a path that nothing serves."""
    parts = [part for part in path.split("/") if part]
    if len(parts) < 3 or parts[0] not in ("api", "apis"):
        raise NotFound("the server could not find the requested resource")
    group, rest = ("", parts[1:]) if parts[0] == "api" else (parts[1], parts[2:])
    version, rest = rest[0], rest[1:]
    namespace = None
    spaces = [r.plural for r in (NAMESPACES,)]
    if rest[:1] == spaces and len(rest) > 2 and rest[2] not in NAMESPACES.subresources:
        namespace, rest = rest[1], rest[2:]
    if not rest:
        raise NotFound("the server could not find the requested resource")
    plural, name, subresource = [*rest, "", ""][:3]
    return Target(catalog.find(group, version, plural), namespace, name, subresource)


@dataclass(frozen=True, slots=True)
class Query:
    """The query parameters that several verbs share. ``warned`` fills with what the client is to hear of its body."""

    dry: bool
    manager: str
    manager_stated: bool
    strict: bool
    force: bool
    label_selector: str
    field_selector: str
    warn: bool = False
    warned: list[str] = field(default_factory=list)

    def as_manager(self, operation: str, subresource: str) -> Manager:
        return Manager(self.manager, operation, subresource)


def query(request: web.Request) -> Query:
    given = request.query
    dry = given.getall("dryRun", [])
    if dry and set(dry) != {"All"}:
        raise BadRequest(f"invalid dryRun value {dry}: only All is supported")
    agent = request.headers.get("User-Agent", "unknown").split("/")[0]
    return Query(
        dry=bool(dry),
        manager=given.get("fieldManager") or agent,
        manager_stated=bool(given.get("fieldManager")),
        strict=given.get("fieldValidation") == "Strict",
        force=given.get("force", "").lower() in ("true", "1"),
        label_selector=given.get("labelSelector", ""),
        field_selector=given.get("fieldSelector", ""),
        warn=given.get("fieldValidation") in (None, "Warn"),
    )


def verb(request: web.Request, where: Target) -> str:
    """RBAC's words: get, list, watch, create, update, patch, delete, deletecollection."""
    watching = request.query.get("watch", "").lower() in ("true", "1")
    match request.method, bool(where.name):
        case "GET" | "HEAD", True:
            return "watch" if watching and not where.subresource else "get"
        case "GET" | "HEAD", False:
            return "watch" if watching else "list"
        case "POST", _:
            return "create"
        case "PUT", True:
            return "update"
        case "PATCH", True:
            return "patch"
        case "DELETE", named:
            return "delete" if named else "deletecollection"
        case _:
            raise MethodNotAllowed("the server does not allow this method on the requested resource")


def integer(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if not text:
        return None
    if not text.lstrip("-").isdigit():
        raise BadRequest(f"invalid {name}: {text!r} is not a number")
    return int(text)


def mapping(body: Any, what: str) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise BadRequest(f"{what} must be an object, not {type(body).__name__}")
    return body
