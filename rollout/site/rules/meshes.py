"""A namespace belongs to one mesh: two injectors in one pod is nobody's mesh."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rollout.site.problem import FieldPath, Problem
from rollout.site.rules.walk import repeated
from rollout.site.schema import SiteFile
from rollout.site.subjects import MeshSection


def claim_each_namespace_once(file: SiteFile, _: Path) -> Iterator[Problem]:
    owners: dict[str, tuple[str, FieldPath]] = {}
    for index, mesh in enumerate(file.meshes):
        yield from repeated(_workloads(mesh, index), lambda name: f"the namespace '{name}'", "each once")
        mine: dict[str, FieldPath] = {}
        for field, namespace in _claims(mesh, index):
            mine.setdefault(namespace, field)
        for namespace, field in mine.items():
            if namespace in owners:
                owner, first = owners[namespace]
                what = f"claims the namespace '{namespace}', which the mesh '{owner}' has"
                yield Problem(field, what, "namespaces that no other mesh claims", other=first)
            owners.setdefault(namespace, (mesh.name, field))


def _workloads(mesh: MeshSection, index: int) -> list[tuple[FieldPath, str]]:
    return [(("meshes", index, "namespaces", at), name) for at, name in enumerate(mesh.namespaces)]


def _claims(mesh: MeshSection, index: int) -> Iterator[tuple[FieldPath, str]]:
    """Its control plane's namespace, its workloads', its gateways'."""
    yield ("meshes", index, "namespace"), mesh.namespace
    yield from _workloads(mesh, index)
    for at, gateway in enumerate(mesh.gateways):
        yield ("meshes", index, "gateways", at, "namespace"), gateway.namespace
