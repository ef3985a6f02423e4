"""One small site for each subject: two racks on two feeds, a gateway node and a worker in each."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from rollout.model.mesh import ChartValues, DataPlane, Gateway, Mesh, MeshKind, Method
from rollout.model.policy import ReleasePin
from rollout.model.site import ControlPlaneHost, Site
from tests.unit.sites import CHARTS, site, ssh


def istio(**changes: object) -> Site:
    """The only mesh is an Istio with one gateway; ``changes`` are made to that mesh."""
    small = site((2, 2), workers=1)
    return replace(small, meshes=(replace(small.meshes[0], **changes),))  # type: ignore[arg-type]


def by_revision() -> Site:
    return istio(method=Method.REVISION, tag="prod")


def ambient() -> Site:
    return istio(data_plane=DataPlane.AMBIENT)


def beside_istio(mesh: Mesh) -> Site:
    """A mesh without gateways of its own, in a cluster whose gateway nodes belong to an Istio."""
    small = site((2, 2), workers=1)
    return replace(small, meshes=(*small.meshes, mesh))


def linkerd(version: str = "edge-25.10.7", *extensions: str) -> Site:
    mesh = Mesh(
        "linkerd",
        MeshKind.LINKERD,
        version,
        "linkerd",
        ("pay",),
        "cluster.local",
        CHARTS,
        (),
        extensions=extensions,
    )
    return beside_istio(mesh)


def cilium(values: str = '{"upgradeCompatibility": "1.17", "ipam": {"mode": "kubernetes"}}') -> Site:
    own = (ChartValues("cilium", values),)
    mesh = Mesh(
        "cilium", MeshKind.CILIUM, "1.19.7", "kube-system", (), "cluster.local", CHARTS, (), values=own
    )
    small = beside_istio(mesh)
    return replace(small, kubernetes=replace(small.kubernetes, version="1.34"))


RELEASES = (
    ReleasePin("1.21.9", "1.8.9"),
    ReleasePin("1.22.3", "1.9.3", "1.9.4"),
)


def consul(**changes: object) -> Site:
    small = site((2, 2), workers=1)
    gateway = Gateway(
        "consul-ingress", "consul-ingress", "consul", "gateways", IPv4Address("203.0.113.1"), 443
    )
    mesh = Mesh(
        "consul",
        MeshKind.CONSUL,
        "1.21.9",
        "consul",
        ("web",),
        "cluster.local",
        CHARTS,
        (gateway,),
        releases=RELEASES,
        backup=("consul", "snapshot", "save", "/backup/consul.snap"),
    )
    return replace(small, meshes=(replace(mesh, **changes),))  # type: ignore[arg-type]


def kubernetes() -> Site:
    """Moved by the site's own commands on two control-plane hosts and on every node."""
    small = site((2, 2), workers=1)
    moved = replace(
        small.kubernetes,
        kubeconfig=Path("/site/kubeconfig"),
        control_plane=tuple(ControlPlaneHost(f"cp{i}", ssh(f"127.0.9.{i}")) for i in (1, 2)),
        upgrade_control_plane=("kubeadm", "upgrade", "apply", "v{version}", "--yes"),
        upgrade_node=("upgrade-node", "{version}"),
    )
    return replace(small, kubernetes=moved)
