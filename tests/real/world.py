"""The engine's world over a real cluster. SIMULATED: hosts, ToRs, the outside client and Helm.

What the simulated ToR routes is joined to what Kubernetes really says, by the witness's own watches: a node is a
next-hop while it has a Ready gateway endpoint and no exclude label. Cluster and workloads are the product's adapters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from lab.simulated.ports import SimulatedHosts
from roles.istio.values import IMAGE_HUB
from rollout.adapters.kube.cluster import KubeCluster
from rollout.adapters.kube.workloads import KubeWorkloads
from rollout.cli.world import roles_of
from rollout.engine.ports import ChartRequest, CommandOutcome, PeerState, SwitchChange, World
from rollout.model.mesh import Gateway
from rollout.model.observed import ChartState, ProbeResult
from rollout.model.site import Address, Site, Switch
from tests.real.fleet import Fleet
from tests.real.witness import Witness
from tests.unit.fake_vitals import vital


class WatchedSwitches:
    """ToRs that route what MetalLB would announce; they have nothing to be configured with."""

    def __init__(self, site: Site, witness: Witness) -> None:
        self._site = site
        self._witness = witness

    def diff(self, switch: Switch) -> SwitchChange:
        return SwitchChange(switch.name, ())

    def apply(self, switch: Switch) -> SwitchChange:
        return SwitchChange(switch.name, ())

    def next_hops(self, switch: Switch, vip: Address) -> frozenset[Address]:
        gateway = next(g for g in self._site.gateways if g.vip == vip)
        there = self._witness.serving(gateway.namespace, gateway.name)
        return frozenset(n.fabric_address for n in self._site.rack(switch.rack).nodes if n.name in there)

    def peers(self, switch: Switch) -> tuple[PeerState, ...]:
        nodes = self._site.rack(switch.rack).nodes
        return tuple(PeerState(node.fabric_address, True, True) for node in nodes if node.gateway)


class WatchedProbe:
    """An outside client that is answered while anybody is a next-hop."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def fetch(self, gateway: Gateway, samples: int) -> ProbeResult:
        up = bool(self._witness.serving(gateway.namespace, gateway.name))
        return ProbeResult(vip=gateway.vip, tried=samples, ok=samples if up else 0, detail="simulated")


class PlayedHelm:
    """Releases kept in memory. What matters to the data plane is done to the cluster: istiod's image, what its
    injector hands out, and a gateway's new template, which an OnDelete DaemonSet must not roll by itself."""

    def __init__(self, fleet: Fleet, versions: dict[str, str]) -> None:
        self._fleet = fleet
        self._releases: dict[tuple[str, str], ChartState] = {}
        for name, role in roles_of(fleet.site).items():
            for chart in role.charts() if name in versions else ():
                version = role.chart_version(chart, versions[name])
                key = chart.namespace, chart.release
                self._releases[key] = ChartState(
                    chart.release, chart.namespace, chart.chart, version, "deployed", 1
                )

    def releases(self) -> tuple[ChartState, ...]:
        return tuple(self._releases.values())

    def remove(self, namespace: str, release: str) -> bool:
        return self._releases.pop((namespace, release), None) is not None

    def install(self, request: ChartRequest) -> ChartState:
        key = request.namespace, request.release
        before = self._releases[key]
        state = replace(before, version=request.version, revision=before.revision + 1)
        self._carried_out(request)
        self._releases[key] = state
        return state

    def _carried_out(self, request: ChartRequest) -> None:
        match request.chart:
            case "istiod":
                image = f"{IMAGE_HUB}/pilot:{request.version}"
                containers = [{"name": "discovery", "image": image}]
                self._template("deployments", request, {"spec": {"containers": containers}})
                pin = request.values["global"].get("proxy", {}).get("image", "")
                self._fleet.inject(pin.rpartition(":")[2] or request.version)
            case "gateway":
                labels = {"helm.sh/chart": f"gateway-{request.version}"}
                self._template("daemonsets", request, {"metadata": {"labels": labels}})

    def _template(self, plural: str, request: ChartRequest, template: dict[str, Any]) -> None:
        path = f"/apis/apps/v1/namespaces/{request.namespace}/{plural}/{request.release}"
        body = {"spec": {"template": template}}
        kind = "application/strategic-merge-patch+json"
        self._fleet.api.request("PATCH", path, body=body, content_type=kind)


class PlayedCommands:
    """Every host is healthy, and every command of the site's own succeeds."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, tuple[str, ...]]] = []

    def run(self, host: str, argv: Sequence[str], within: timedelta | None = None) -> CommandOutcome:
        del within
        reading = vital(argv)
        if reading is not None:
            return CommandOutcome(0, reading)
        self.ran.append((host, tuple(argv)))
        return CommandOutcome(0, "")


def engine_world(fleet: Fleet, witness: Witness, helm: PlayedHelm, kubeconfig: Path) -> World:
    """The engine talks to the API as the user of ``kubeconfig``, the rest of the world as the administrator."""
    site = replace(fleet.site, kubernetes=replace(fleet.site.kubernetes, kubeconfig=kubeconfig))
    roles = roles_of(site)
    return World(
        site=site,
        hosts=SimulatedHosts(),
        switches=WatchedSwitches(site, witness),
        charts=helm,
        cluster=KubeCluster(site, roles),
        probe=WatchedProbe(witness),
        roles=roles,
        commands=PlayedCommands(),
        workloads=KubeWorkloads(site, roles),
    )
