"""What is served: built-in resources, those that CustomResourceDefinitions add, and discovery."""

from __future__ import annotations

from collections.abc import Iterator

from lab.kube.collection import Event, EventType
from lab.kube.errors import NotFound
from lab.kube.objects import Obj, is_true
from lab.kube.resource import BUILTIN, CRDS, Resource
from lab.kube.store import Store

GroupVersion = tuple[str, str]
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


class Catalog:
    """Resources by (group, version); follows the store's CRDs by itself."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._served: dict[GroupVersion, dict[str, Resource]] = {}
        for resource in BUILTIN:
            self._serve(resource)
        store.subscribe(CRDS, self._follow)

    def find(self, group: str, version: str, plural: str) -> Resource:
        """Raises NotFound as the API does for a path that nothing serves."""
        found = self._served.get((group, version), {}).get(plural)
        if found is None:
            raise NotFound("the server could not find the requested resource")
        return found

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        group, _, version = api_version.rpartition("/")
        rows = self._served.get((group, version), {}).values()
        return next((r for r in rows if r.kind == kind), None)

    def groups(self) -> dict[str, list[str]]:
        """Group name -> versions, preferred first; the core group is the empty name."""
        found: dict[str, list[str]] = {}
        for group, version in self._served:
            found.setdefault(group, []).append(version)
        return {group: sorted(versions, key=_priority) for group, versions in found.items()}

    def resources(self, group: str, version: str) -> list[Resource]:
        rows = self._served.get((group, version))
        if rows is None:
            raise NotFound("the server could not find the requested resource")
        return list(rows.values())

    def _serve(self, resource: Resource) -> None:
        self._store.register(resource)
        self._served.setdefault((resource.group, resource.version), {})[resource.plural] = resource

    def _follow(self, event: Event) -> None:
        if event.old is not None:
            for resource in resources_of(event.old):
                rows = self._served.get((resource.group, resource.version), {})
                rows.pop(resource.plural, None)
                if not rows:
                    self._served.pop((resource.group, resource.version), None)
        if event.type is not EventType.DELETED and is_true(event.object, "Established"):
            for resource in resources_of(event.object):
                self._serve(resource)


def resources_of(crd: Obj) -> Iterator[Resource]:
    """One Resource per served version of a CustomResourceDefinition."""
    spec, names = crd["spec"], crd["spec"]["names"]
    for version in spec["versions"]:
        if version.get("served"):
            columns = version.get("additionalPrinterColumns") or ()
            yield Resource(
                group=spec["group"],
                version=version["name"],
                plural=names["plural"],
                kind=names["kind"],
                namespaced=spec["scope"] == "Namespaced",
                short=tuple(names.get("shortNames") or ()),
                subresources=tuple(sorted(version.get("subresources") or {})),
                categories=tuple(names.get("categories") or ()),
                singular=names.get("singular", ""),
                schema=(version.get("schema") or {}).get("openAPIV3Schema"),
                columns=tuple((c["name"], c["type"], c["jsonPath"], c.get("priority", 0)) for c in columns),
            )


def _priority(version: str) -> tuple[int, str]:
    """v2 before v1 before v1beta1 before v1alpha1, as kube-aggregator sorts."""
    for rank, word in ((2, "alpha"), (1, "beta")):
        if word in version:
            return rank, version
    digits = version.removeprefix("v")
    return 0, f"{1000 - int(digits):04}" if digits.isdigit() else version


def group_list(catalog: Catalog) -> Obj:
    groups = [_group(name, versions) for name, versions in catalog.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(catalog: Catalog, name: str) -> Obj:
    versions = catalog.groups().get(name)
    if not versions or not name:
        raise NotFound("the server could not find the requested resource")
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}


def _group(name: str, versions: list[str]) -> Obj:
    rows = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": rows, "preferredVersion": rows[0]}


def resource_list(catalog: Catalog, group_name: str, version: str) -> Obj:
    rows: list[Obj] = []
    for resource in catalog.resources(group_name, version):
        row: Obj = {
            "name": resource.plural,
            "singularName": resource.singular or resource.kind.lower(),
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": _VERBS,
        }
        optional = {"shortNames": list(resource.short), "categories": list(resource.categories)}
        rows.append(row | {key: value for key, value in optional.items() if value})
        rows.extend(_sub_row(resource, name) for name in resource.subresources)
    api = f"{group_name}/{version}" if group_name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api, "resources": rows}


_SUB_KINDS = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "binding": ("", "v1", "Binding"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
    "exec": ("", "v1", "PodExecOptions"),
}
_SUB_VERBS = {"status": ["get", "patch", "update"], "scale": ["get", "patch", "update"], "log": ["get"]}


def _sub_kind(resource: Resource, name: str) -> tuple[str, str, str]:
    return _SUB_KINDS.get(name, (resource.group, resource.version, resource.kind))


def _sub_row(resource: Resource, name: str) -> Obj:
    gvk = _sub_kind(resource, name)
    row: Obj = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": gvk[2],
        "verbs": _SUB_VERBS.get(name, ["create"]),
    }
    return row | {"group": gvk[0], "version": gvk[1]} if name in _SUB_KINDS else row


def aggregated(catalog: Catalog, *, core: bool) -> Obj:
    """``APIGroupDiscoveryList``: everything in one answer, as kubectl and Helm prefer."""
    items = [
        {
            "metadata": {"name": name or None, "creationTimestamp": None},
            "versions": [
                {
                    "version": version,
                    "resources": [_aggregated_row(r) for r in catalog.resources(name, version)],
                    "freshness": "Current",
                }
                for version in versions
            ],
        }
        for name, versions in catalog.groups().items()
        if (name == "") is core
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated_row(resource: Resource) -> Obj:
    scope = "Namespaced" if resource.namespaced else "Cluster"
    row: Obj = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": scope,
        "singularResource": resource.singular or resource.kind.lower(),
        "verbs": _VERBS,
        "shortNames": list(resource.short),
        "categories": list(resource.categories),
    }
    row["subresources"] = [
        {
            "subresource": name,
            "responseKind": dict(zip(("group", "version", "kind"), _sub_kind(resource, name), strict=True)),
            "verbs": _SUB_VERBS.get(name, ["create"]),
        }
        for name in resource.subresources
    ]
    return row
