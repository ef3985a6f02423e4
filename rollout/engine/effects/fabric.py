"""Hosts and ToRs."""

from __future__ import annotations

from rollout.engine.context import Run
from rollout.engine.outcome import Done, Word
from rollout.engine.ports import HostOutcome
from rollout.errors import StepFailed
from rollout.model.site import Switch
from rollout.model.step import AwaitPeering, ConfigureHosts, ConfigureSwitch


def configure_hosts(run: Run, effect: ConfigureHosts) -> Done:
    """pyinfra reads facts before it acts, so one job both looks and makes it so."""
    nodes = [run.site.node(name) for name in effect.nodes]
    outcomes = run.world.hosts.configure(nodes, dry_run=False)
    _require_all(effect, outcomes)
    changed = [outcome for outcome in outcomes if outcome.changed]
    counts = (("hosts.changed", len(changed)), ("hosts.unchanged", len(outcomes) - len(changed)))
    operations = sum(len(outcome.changed) for outcome in outcomes)
    return Done(
        Word.DONE if changed else Word.ALREADY, f"{operations} changes on {len(changed)} hosts", counts
    )


def _require_all(effect: ConfigureHosts, outcomes: tuple[HostOutcome, ...]) -> None:
    errors = [f"{outcome.node}: {outcome.error}" for outcome in outcomes if outcome.error]
    silent = sorted(set(effect.nodes) - {outcome.node for outcome in outcomes})
    errors += [f"{name}: no result came back" for name in silent]
    if errors:
        text = f"{len(errors)} of {len(effect.nodes)} hosts failed: " + "; ".join(errors)
        raise StepFailed(text, where=f"rack {effect.rack}", hint="repair them, then `rackroll resume`")


def configure_switch(run: Run, effect: ConfigureSwitch) -> Done:
    """Diff, apply, diff again: what a switch says it accepted is not proof, an empty second diff is."""
    switch = run.site.switch(effect.switch)
    if not run.world.switches.diff(switch).diff:
        return Done(Word.ALREADY, "no difference", (("tor.lines_applied", 0),))
    applied = run.world.switches.apply(switch).diff
    left = run.world.switches.diff(switch).diff
    if left:
        text = f"{len(left)} lines still differ after they were applied, first: {left[0]}"
        raise StepFailed(text, where=switch.name, hint="compare `show running-config` with the site file")
    return Done(Word.DONE, f"{len(applied)} lines applied", (("tor.lines_applied", len(applied)),))


def await_peering(run: Run, effect: AwaitPeering) -> Done:
    switch = run.site.switch(effect.switch)
    hint = "on the ToR `show bgp summary`, `show bfd peers`; on the node the speaker's log"
    already = run.until(f"peering on {switch.name}", lambda: _unpeered(run, switch), hint=hint)
    return Done(Word.ALREADY if already else Word.DONE)


def _unpeered(run: Run, switch: Switch) -> str | None:
    wanted = {n.fabric_address: n.name for n in run.site.rack(switch.rack).nodes if n.gateway}
    peers = {peer.address: peer for peer in run.world.switches.peers(switch)}
    missing = []
    for address, name in wanted.items():
        peer = peers.get(address)
        if peer is None or not peer.established:
            missing.append(f"{name} has no Established session")
        elif run.site.bgp.bfd is not None and peer.bfd_up is not True:
            missing.append(f"{name}'s BFD session is down")
    return ", ".join(missing) or None
