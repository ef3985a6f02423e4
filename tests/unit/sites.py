"""Sites for tests, built by hand: as many racks, gateways and workers as a test asks for."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from rollout.model.mesh import ChartSource, ChartSourceKind, Gateway, Mesh, MeshKind
from rollout.model.site import (
    BfdTimers,
    Bgp,
    ClockProfile,
    KernelProfile,
    Kubernetes,
    MetalLb,
    Node,
    Pacing,
    Pool,
    ProbePoint,
    Rack,
    Site,
    SshAccess,
    Switch,
    SwitchPlatform,
)

CHARTS = ChartSource(ChartSourceKind.PATH, "/charts")


def ssh(address: str) -> SshAccess:
    return SshAccess(address, 22, "root", Path("/site/id"), Path("/site/known_hosts"))


def rack(number: int, gateways: int, workers: int, feeds: int | None = None) -> Rack:
    name = f"r{number}"
    nodes = tuple(
        Node(
            name=f"{name}n{i}",
            rack=name,
            ssh=ssh(f"127.0.{number}.{10 + i}"),
            fabric_address=IPv4Address(f"10.9.{number}.{10 + i}"),
            gateway=i <= gateways,
        )
        for i in range(1, gateways + workers + 1)
    )
    prefixes = (IPv4Network("203.0.113.0/24"),)
    tor = Switch(
        f"tor-{name}",
        name,
        SwitchPlatform.FRR,
        ssh(f"127.0.{number}.1"),
        64500 + number,
        IPv4Address(f"10.9.{number}.1"),
        prefixes,
    )
    feed = number if feeds is None else (number - 1) % feeds + 1
    return Rack(name, f"feed-{feed}", tor, nodes)


def site(
    gateways_per_rack: tuple[int, ...] = (2, 2),
    workers: int = 1,
    version: str = "1.30.3",
    folder: Path = Path("/site"),
    vips: int = 1,
    metallb: str = "0.16.1",
    feeds: int | None = None,
) -> Site:
    """``feeds``: how many failure domains the racks take turns in; one for each rack if not given."""
    gateways = tuple(
        Gateway(f"ingress-{i}", "istio-ingress", "istio", "gateways", IPv4Address(f"203.0.113.{i}"), 80)
        for i in range(1, vips + 1)
    )
    return Site(
        name="small",
        folder=folder,
        racks=tuple(rack(i, count, workers, feeds) for i, count in enumerate(gateways_per_rack, 1)),
        pools=(Pool("gateways", (IPv4Network("203.0.113.0/28"),)),),
        bgp=Bgp(64601, timedelta(seconds=9), BfdTimers(timedelta(milliseconds=150), 3), 32, 16),
        kernel=KernelProfile((("net.core.somaxconn", "65535"),)),
        clock=ClockProfile(("10.0.0.1",), timedelta(seconds=1), 3, timedelta(milliseconds=50)),
        kubernetes=Kubernetes(Path("/site/kubeconfig"), None, "1.35"),
        metallb=MetalLb(metallb, "metallb-system", CHARTS, ("gateways",)),
        meshes=(
            Mesh(
                "istio",
                MeshKind.ISTIO,
                version,
                "istio-system",
                ("shop",),
                "cluster.local",
                CHARTS,
                gateways,
            ),
        ),
        probe=ProbePoint("client", None, "/", "shop.example"),
        pacing=Pacing(
            drain_wait=timedelta(seconds=1.5),
            fabric_settle=timedelta(seconds=0.5),
            soak=timedelta(seconds=2),
            soak_samples=20,
            step_timeout=timedelta(seconds=60),
        ),
        rack_label="rackroll.io/rack",
        gateway_label="rackroll.io/gateway",
    )
