"""One line per effect, for plans, progress and errors: the same words everywhere."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_never

from rollout.model.step import (
    Advertise,
    ApplyObjects,
    AwaitAdvertised,
    AwaitControlPlane,
    AwaitGateways,
    AwaitNodeReady,
    AwaitPeering,
    AwaitWithdrawn,
    ConfigureHosts,
    ConfigureSwitch,
    Cordon,
    DrainGateways,
    Effect,
    Evict,
    InstallChart,
    NaiveReplace,
    ProbeVips,
    Soak,
    Uncordon,
    Withdraw,
)


def title(effect: Effect) -> str:
    """What this step makes true, in the product's words."""
    match effect:
        case ConfigureHosts() | ConfigureSwitch() | AwaitPeering():
            return _fabric(effect)
        case InstallChart() | ApplyObjects() | AwaitControlPlane() | AwaitGateways():
            return _mesh(effect)
        case DrainGateways() | Withdraw() | AwaitWithdrawn() | Cordon() | Evict():
            return _taking_out(effect)
        case AwaitNodeReady() | Uncordon() | Advertise() | AwaitAdvertised():
            return _bringing_back(effect)
        case ProbeVips(samples=samples):
            return f"probe every VIP from outside, {samples} fresh connections"
        case Soak(duration=duration, samples=samples):
            return f"soak {_seconds(duration)} and {samples} outside probes"
        case NaiveReplace(nodes=nodes, mesh=mesh):
            return f"NEGATIVE CONTROL: delete all {mesh} pods on {', '.join(nodes)} at once"
        case _:
            assert_never(effect)


def _fabric(effect: ConfigureHosts | ConfigureSwitch | AwaitPeering) -> str:
    match effect:
        case ConfigureHosts(rack=rack, nodes=nodes):
            return f"configure kernel and clock of {', '.join(nodes)} in rack {rack}"
        case ConfigureSwitch(switch=switch):
            return f"configure switch {switch}: peers, prefix lists, BFD"
        case AwaitPeering(switch=switch):
            return f"wait until every gateway node of {switch}'s rack has its BGP session up"


def _mesh(effect: InstallChart | ApplyObjects | AwaitControlPlane | AwaitGateways) -> str:
    match effect:
        case InstallChart(release=release, namespace=namespace, chart=chart, version=version):
            return f"install {namespace}/{release} from chart {chart} {version}"
        case ApplyObjects(subject=subject, part=part):
            return f"apply {subject}'s {part} objects"
        case AwaitControlPlane(mesh=mesh, version=version):
            return f"wait until {mesh}'s control plane answers at {version}"
        case AwaitGateways(gateway=gateway):
            return f"wait until gateway {gateway} is Ready on every gateway node and its VIP is in every ToR"


def _taking_out(effect: DrainGateways | Withdraw | AwaitWithdrawn | Cordon | Evict) -> str:
    match effect:
        case DrainGateways(node=node, wait=wait):
            return f"drain the gateways on {node}, wait {_seconds(wait)}"
        case Withdraw(node=node):
            return f"withdraw {node}'s routes"
        case AwaitWithdrawn(node=node, settle=settle):
            return f"see {node} gone from its ToR's RIB, settle {_seconds(settle)}"
        case Cordon(node=node):
            return f"cordon {node}"
        case Evict(node=node, mesh=mesh, version=version):
            return f"evict {mesh} pods older than {version} from {node}"


def _bringing_back(effect: AwaitNodeReady | Uncordon | Advertise | AwaitAdvertised) -> str:
    match effect:
        case AwaitNodeReady(node=node, mesh=mesh, version=version):
            return f"wait until {node} and its {mesh} gateways are Ready at {version}"
        case Uncordon(node=node):
            return f"uncordon {node}"
        case Advertise(node=node):
            return f"let {node} announce again"
        case AwaitAdvertised(node=node):
            return f"see {node} back in its ToR's RIB"


def _seconds(duration: timedelta) -> str:
    return f"{duration / timedelta(seconds=1):g} s"
