"""One line per effect, for plans, progress and errors: the same words everywhere."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import assert_never

from rollout.model.reboot import Booting, NoteBoot, Reboot
from rollout.model.rekey import (
    AwaitLeaves,
    AwaitRenewed,
    AwaitTrust,
    HandOver,
    MintAuthority,
    Rekey,
    RenewLate,
    RenewProxies,
    RestartControlPlane,
    Signer,
)
from rollout.model.step import (
    Advertise,
    ApplyObjects,
    AwaitAdvertised,
    AwaitControlPlane,
    AwaitGateways,
    AwaitNodeReady,
    AwaitPeering,
    AwaitVersion,
    AwaitWithdrawn,
    ConfigureHosts,
    ConfigureSwitch,
    Cordon,
    DrainGateways,
    Effect,
    Evict,
    EvictAll,
    InstallChart,
    MoveServer,
    NaiveReplace,
    ProbeVips,
    RemoveChart,
    ReplaceAgents,
    RestoreGateways,
    RunCommand,
    Soak,
    TakeSnapshot,
    Uncordon,
    Withdraw,
)


def title(effect: Effect) -> str:  # noqa: C901 - one closed match over every effect
    """What this step makes true, in the product's words."""
    if isinstance(effect, Rekey):
        return _rekey(effect)
    if isinstance(effect, Booting):
        return _booting(effect)
    match effect:
        case ConfigureHosts() | ConfigureSwitch() | AwaitPeering():
            return _fabric(effect)
        case InstallChart() | RemoveChart() | ApplyObjects() | AwaitControlPlane() | AwaitGateways():
            return _mesh(effect)
        case AwaitVersion() | ReplaceAgents() | MoveServer():
            return _component(effect)
        case RunCommand(host=host, purpose=purpose, argv=argv):
            return f"{purpose} on {host}: {shlex.join(argv)}"
        case TakeSnapshot(name=name):
            return f"record the snapshot {name!r}"
        case DrainGateways() | Withdraw() | AwaitWithdrawn() | Cordon() | Evict() | EvictAll():
            return _taking_out(effect)
        case AwaitNodeReady() | Uncordon() | RestoreGateways() | Advertise() | AwaitAdvertised():
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


def _mesh(effect: InstallChart | RemoveChart | ApplyObjects | AwaitControlPlane | AwaitGateways) -> str:
    match effect:
        case InstallChart(release=release, namespace=namespace, chart=chart, version=version, data_plane=pin):
            pinned = f", new proxies held at {pin}" if pin else ""
            return f"install {namespace}/{release} from chart {chart} {version}{pinned}"
        case RemoveChart(release=release, namespace=namespace):
            return f"remove {namespace}/{release}"
        case ApplyObjects(subject=subject, part=part):
            return f"apply {subject}'s {part} objects"
        case AwaitControlPlane(mesh=mesh, version=version):
            return f"wait until {mesh}'s control plane answers at {version}"
        case AwaitGateways(gateway=gateway):
            return f"wait until gateway {gateway} is Ready on every gateway node and its VIP is in every ToR"


def _component(effect: AwaitVersion | ReplaceAgents | MoveServer) -> str:
    match effect:
        case AwaitVersion(subject=subject, component=component, version=version, node=node):
            where = f" on {node}" if node else ""
            return f"wait until {subject}'s {component}{where} is Ready at {version}"
        case ReplaceAgents(node=node, subject=subject, components=components, version=version):
            return f"replace {subject}'s {', then '.join(components)} on {node} with {version}"
        case MoveServer(component=component, workload=workload, ordinal=ordinal, version=version):
            return f"move {component} {workload}-{ordinal} to {version}"


def _taking_out(effect: DrainGateways | Withdraw | AwaitWithdrawn | Cordon | Evict | EvictAll) -> str:
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
            return f"evict {mesh} pods that are not at {version} from {node}"
        case EvictAll(node=node):
            return f"evict everything but DaemonSet pods from {node}"


def _bringing_back(
    effect: AwaitNodeReady | Uncordon | RestoreGateways | Advertise | AwaitAdvertised,
) -> str:
    match effect:
        case AwaitNodeReady(node=node, mesh=None):
            return f"wait until {node} and its gateways are Ready"
        case AwaitNodeReady(node=node, mesh=mesh, version=version):
            return f"wait until {node} and its {mesh} gateways are Ready at {version}"
        case RestoreGateways(node=node):
            return f"let the gateways on {node} pass their health check again"
        case Uncordon(node=node):
            return f"uncordon {node}"
        case Advertise(node=node):
            return f"let {node} announce again"
        case AwaitAdvertised(node=node):
            return f"see {node} back in its ToR's RIB"


def _booting(effect: Booting) -> str:
    match effect:
        case NoteBoot(node=node):
            return f"note which boot {node} is in"
        case Reboot(node=node):
            return f"reboot {node}, see it in another boot and the API speak of that one"


def _rekey(effect: Rekey) -> str:
    match effect:
        case MintAuthority(mesh=mesh, signer=signer):
            return f"{mesh}: {signer} is minted, kept and verified"
        case HandOver(mesh=mesh, trusts=trusts, signer=signer, untrusts=untrusts):
            no_more = f", no more {_generations(untrusts)}," if untrusts else ""
            return f"{mesh} is told to trust {_generations(trusts)}{no_more} and to sign with {signer}"
        case RestartControlPlane(mesh=mesh):
            return f"restart {mesh}'s control plane: it starts with what it was told"
        case RenewProxies(node=node, mesh=mesh, trusts=trusts, signer=signer):
            return f"restart {mesh}'s proxies on {node} that do not {_follows(trusts, signer)}"
        case RenewLate(mesh=mesh, trusts=trusts):
            return (
                f"restart what of {mesh} still does not trust {_generations(trusts)} alone, gateways left out"
            )
        case AwaitRenewed(node=node, mesh=mesh, trusts=trusts, signer=signer):
            return f"see by handshake that {mesh}'s proxies on {node} {_follows(trusts, signer)}"
        case AwaitTrust(mesh=mesh, trusts=trusts):
            return (
                f"see by handshake that every verifier of {mesh} trusts {_generations(trusts)} and no other"
            )
        case AwaitLeaves(mesh=mesh, signer=signer):
            return f"census: every live leaf of {mesh} comes from {signer}"


def _follows(trusts: tuple[int, ...], signer: Signer | None) -> str:
    leaf = f" and serve a leaf from {signer}" if signer else ""
    return f"trust {_generations(trusts)}{leaf}"


def _generations(trusts: tuple[int, ...]) -> str:
    return " and ".join(f"g{number}" for number in trusts)


def _seconds(duration: timedelta) -> str:
    return f"{duration / timedelta(seconds=1):g} s"
