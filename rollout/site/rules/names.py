"""Names are how plans, journals and people point at things: one name, one thing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rollout.site.problem import FieldPath, Problem
from rollout.site.rules.walk import gateways, nodes, racks, repeated
from rollout.site.schema import SiteFile


def are_unique(file: SiteFile, _: Path) -> Iterator[Problem]:
    sorts: dict[str, list[tuple[FieldPath, str]]] = {
        "rack": [((*path, "name"), rack.name) for path, rack in racks(file)],
        "host": _hosts(file),
        "pool": [(("pools", index, "name"), pool.name) for index, pool in enumerate(file.pools)],
        "mesh": [(("meshes", index, "name"), mesh.name) for index, mesh in enumerate(file.meshes)],
        "gateway": [((*path, "name"), gateway.name) for path, gateway in gateways(file)],
    }
    for sort, found in sorts.items():
        yield from repeated(found, partial(_called, sort), "a name of its own")


def _called(sort: str, name: str) -> str:
    return f"the {sort} name '{name}'"


def _hosts(file: SiteFile) -> list[tuple[FieldPath, str]]:
    """Nodes, switches and the probe share one set of names: logs and journals say only the name."""
    found: list[tuple[FieldPath, str]] = [((*path, "name"), node.name) for path, _, node in nodes(file)]
    found += [((*path, "tor", "name"), rack.tor.name) for path, rack in racks(file)]
    control = enumerate(file.kubernetes.control_plane)
    found += [(("kubernetes", "controlPlane", index, "name"), host.name) for index, host in control]
    if file.probe.ssh:
        found.append((("probe", "name"), file.probe.name))
    return found


SUBJECTS = {"metallb": "the load balancer itself", "kubernetes": "the cluster itself"}
LOCAL = "local"
"""What plans call the machine that rackroll runs on."""


def mesh_is_no_other_subject(file: SiteFile, _: Path) -> Iterator[Problem]:
    for index, mesh in enumerate(file.meshes):
        if mesh.name in SUBJECTS:
            what = f"is '{mesh.name}', which plans use for {SUBJECTS[mesh.name]}"
            yield Problem(("meshes", index, "name"), what, "another name for the mesh")


def no_host_is_called_local(file: SiteFile, _: Path) -> Iterator[Problem]:
    for path, name in _hosts(file):
        if name == LOCAL:
            what = "is 'local', which plans use for the machine that rackroll runs on"
            yield Problem(path, what, "another name for the host")


def labels_differ(file: SiteFile, _: Path) -> Iterator[Problem]:
    section = file.kubernetes
    if section.rack_label == section.gateway_label:
        what = f"is the rack label too ('{section.rack_label}'): every node would become a gateway"
        yield Problem(("kubernetes", "gatewayLabel"), what, "two different labels")
