"""Effect -> handler, as one closed match: a new effect without a handler does not type-check."""

from __future__ import annotations

from typing import assert_never

from rollout.engine.context import Run
from rollout.engine.effects import (
    back,
    boot,
    command,
    components,
    fabric,
    leave,
    mesh,
    outside,
    record,
    rekey,
)
from rollout.engine.outcome import Done
from rollout.model.gate import Finding
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


def carry_out(run: Run, effect: Effect) -> Done | tuple[Finding, ...]:  # noqa: C901 - one closed match
    """What was done, or the findings that hold it (only a soak can find something after it began)."""
    if isinstance(effect, Rekey):
        return _rekey(run, effect)
    if isinstance(effect, Booting):
        return _booting(run, effect)
    match effect:
        case ConfigureHosts() | ConfigureSwitch() | AwaitPeering():
            return _fabric(run, effect)
        case InstallChart() | RemoveChart() | ApplyObjects() | AwaitControlPlane() | AwaitGateways():
            return _mesh(run, effect)
        case AwaitVersion() | ReplaceAgents() | MoveServer():
            return _component(run, effect)
        case DrainGateways() | Withdraw() | AwaitWithdrawn() | Cordon() | Evict() | EvictAll():
            return _leave(run, effect)
        case AwaitNodeReady() | RestoreGateways() | Uncordon() | Advertise() | AwaitAdvertised():
            return _back(run, effect)
        case RunCommand():
            return command.run_command(run, effect)
        case TakeSnapshot():
            return record.take_snapshot(run, effect)
        case ProbeVips():
            return outside.probe_vips(run, effect)
        case Soak():
            return outside.soak(run, effect)
        case NaiveReplace():
            return leave.naive_replace(run, effect)
        case _:
            assert_never(effect)


def _fabric(run: Run, effect: ConfigureHosts | ConfigureSwitch | AwaitPeering) -> Done:
    match effect:
        case ConfigureHosts():
            return fabric.configure_hosts(run, effect)
        case ConfigureSwitch():
            return fabric.configure_switch(run, effect)
        case AwaitPeering():
            return fabric.await_peering(run, effect)


def _mesh(
    run: Run, effect: InstallChart | RemoveChart | ApplyObjects | AwaitControlPlane | AwaitGateways
) -> Done:
    match effect:
        case InstallChart():
            return mesh.install_chart(run, effect)
        case RemoveChart():
            return mesh.remove_chart(run, effect)
        case ApplyObjects():
            return mesh.apply_objects(run, effect)
        case AwaitControlPlane():
            return mesh.await_control_plane(run, effect)
        case AwaitGateways():
            return mesh.await_gateways(run, effect)


def _rekey(run: Run, effect: Rekey) -> Done | tuple[Finding, ...]:
    match effect:
        case MintAuthority():
            return rekey.mint(run, effect)
        case HandOver():
            return rekey.hand_over(run, effect)
        case RestartControlPlane():
            return rekey.restart_control_plane(run, effect)
        case RenewProxies():
            return rekey.renew(run, effect)
        case RenewLate():
            return rekey.renew_late(run, effect)
        case AwaitRenewed():
            return rekey.await_renewed(run, effect)
        case AwaitTrust():
            return rekey.await_trust(run, effect)
        case AwaitLeaves():
            return rekey.await_leaves(run, effect)


def _booting(run: Run, effect: Booting) -> Done:
    match effect:
        case NoteBoot():
            return boot.note_boot(run, effect)
        case Reboot():
            return boot.reboot(run, effect)


def _component(run: Run, effect: AwaitVersion | ReplaceAgents | MoveServer) -> Done:
    match effect:
        case AwaitVersion():
            return components.await_version(run, effect)
        case ReplaceAgents():
            return components.replace_agents(run, effect)
        case MoveServer():
            return components.move_server(run, effect)


def _leave(run: Run, effect: DrainGateways | Withdraw | AwaitWithdrawn | Cordon | Evict | EvictAll) -> Done:
    match effect:
        case DrainGateways():
            return leave.drain_gateways(run, effect)
        case Withdraw():
            return leave.withdraw(run, effect)
        case AwaitWithdrawn():
            return leave.await_withdrawn(run, effect)
        case Cordon():
            return leave.cordon(run, effect)
        case Evict():
            return leave.evict(run, effect)
        case EvictAll():
            return leave.evict_all(run, effect)


def _back(
    run: Run, effect: AwaitNodeReady | RestoreGateways | Uncordon | Advertise | AwaitAdvertised
) -> Done:
    match effect:
        case AwaitNodeReady():
            return back.await_node_ready(run, effect)
        case RestoreGateways():
            return back.restore_gateways(run, effect)
        case Uncordon():
            return back.uncordon(run, effect)
        case Advertise():
            return back.advertise(run, effect)
        case AwaitAdvertised():
            return back.await_advertised(run, effect)
