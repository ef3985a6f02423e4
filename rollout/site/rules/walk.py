"""Everything of one sort in a site file, each with the field it was written in."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

from rollout.model.site import Address
from rollout.site import schema
from rollout.site.problem import FieldPath, Problem
from rollout.site.schema import SiteFile
from rollout.site.ssh import SshTarget
from rollout.site.subjects import ChartsSection, GatewaySection, MeshSection

K = TypeVar("K", bound=Hashable)


def racks(file: SiteFile) -> Iterator[tuple[FieldPath, schema.RackSection]]:
    for index, rack in enumerate(file.racks):
        yield ("racks", index), rack


def nodes(file: SiteFile) -> Iterator[tuple[FieldPath, schema.RackSection, schema.NodeSection]]:
    for path, rack in racks(file):
        for index, node in enumerate(rack.nodes):
            yield (*path, "nodes", index), rack, node


def gateway_nodes(file: SiteFile) -> list[tuple[FieldPath, schema.RackSection, schema.NodeSection]]:
    return [found for found in nodes(file) if found[2].gateway]


def gateways(file: SiteFile) -> Iterator[tuple[FieldPath, GatewaySection]]:
    for outer, mesh in enumerate(file.meshes):
        for inner, gateway in enumerate(mesh.gateways):
            yield ("meshes", outer, "gateways", inner), gateway


def meshes(file: SiteFile) -> Iterator[tuple[FieldPath, MeshSection]]:
    for index, mesh in enumerate(file.meshes):
        yield ("meshes", index), mesh


def ssh_targets(file: SiteFile) -> Iterator[tuple[FieldPath, SshTarget, int]]:
    """Each host's ssh section with the port that will be used, by the nearest-word-wins order."""
    if file.probe.ssh:
        yield ("probe", "ssh"), file.probe.ssh, file.probe.ssh.port or file.ssh.port
    for index, host in enumerate(file.kubernetes.control_plane):
        yield ("kubernetes", "controlPlane", index, "ssh"), host.ssh, host.ssh.port or file.ssh.port
    for path, rack in racks(file):
        port = rack.ssh.port or file.ssh.port
        yield (*path, "tor", "ssh"), rack.tor.ssh, rack.tor.ssh.port or port
        for index, node in enumerate(rack.nodes):
            yield (*path, "nodes", index, "ssh"), node.ssh, node.ssh.port or port


def fabric_addresses(file: SiteFile) -> Iterator[tuple[FieldPath, Address]]:
    for path, rack in racks(file):
        yield (*path, "tor", "fabric"), rack.tor.fabric
        for index, node in enumerate(rack.nodes):
            yield (*path, "nodes", index, "fabric"), node.fabric


def chart_sources(file: SiteFile) -> Iterator[tuple[FieldPath, ChartsSection]]:
    yield ("metallb", "charts"), file.metallb.charts
    for index, mesh in enumerate(file.meshes):
        yield ("meshes", index, "charts"), mesh.charts


def repeated(
    found: Iterable[tuple[FieldPath, K]], what: Callable[[K], str], expected: str
) -> Iterator[Problem]:
    """One problem for each value that was already there, naming the line of the first."""
    first: dict[K, FieldPath] = {}
    for path, value in found:
        if value in first:
            yield Problem(path, f"{what(value)} is already taken", expected, other=first[value])
        else:
            first[value] = path
