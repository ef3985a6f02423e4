"""OpenAPI as far as clients ask before they write: the paths, and that they take ``fieldValidation``.

kubectl and Helm refuse to validate on the server unless the PATCH path of a kind advertises that parameter.
There are no schemas in these documents; what is checked on a write is in :mod:`lab.kube.api.schema`.
"""

from __future__ import annotations

from typing import Any

from lab.kube.catalog import Catalog
from lab.kube.objects import Obj
from lab.kube.resource import Resource

_INFO = {"title": "Kubernetes (simulated)", "version": "unversioned"}
_VALIDATION = {
    "name": "fieldValidation",
    "in": "query",
    "description": "Strict refuses unknown fields of built-in types; otherwise they are dropped without a word",
    "schema": {"type": "string", "uniqueItems": True},
}


def index(catalog: Catalog) -> Obj:
    """``/openapi/v3``: one relative URL per group and version."""
    paths = {}
    for group, versions in catalog.groups().items():
        for version in versions:
            name = f"apis/{group}/{version}" if group else f"api/{version}"
            paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}"}
    return {"paths": paths}


def document(catalog: Catalog, group: str, version: str) -> Obj:
    """``/openapi/v3/apis/<group>/<version>``. Raises NotFound for a group that is not served."""
    paths: dict[str, Any] = {}
    for resource in catalog.resources(group, version):
        paths |= _paths(resource)
    return {
        "openapi": "3.0.0",
        "info": _INFO,
        "paths": paths,
        "components": {"schemas": {}},
    }


def _paths(resource: Resource) -> dict[str, Any]:
    head = f"/apis/{resource.group}" if resource.group else "/api"
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    base = f"{head}/{resource.version}{scope}/{resource.plural}"
    return {
        base: {"get": _operation(resource, "list"), "post": _operation(resource, "post")},
        f"{base}/{{name}}": {
            "get": _operation(resource, "get"),
            "put": _operation(resource, "put"),
            "patch": _operation(resource, "patch"),
            "delete": _operation(resource, "delete"),
        },
    }


def _operation(resource: Resource, action: str) -> Obj:
    operation: Obj = {
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {
            "group": resource.group,
            "version": resource.version,
            "kind": resource.kind,
        },
        "responses": {"200": {"description": "OK"}},
    }
    if action in ("post", "put", "patch"):
        operation["parameters"] = [_VALIDATION]
    return operation


def v2() -> Obj:
    """``/openapi/v2``, empty: its readers fall back to what they have built in."""
    return {
        "swagger": "2.0",
        "info": _INFO,
        "paths": {},
    }
