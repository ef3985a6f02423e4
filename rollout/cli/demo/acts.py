"""The demo in acts: bring up, look twice, upgrade under load; then the naive upgrade on a fresh stage."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from lab.load.tally import LoadCount
from rollout.cli.demo.score import Score, Versions
from rollout.cli.demo.stage import ECHO_APP, Stage, Theatre
from rollout.cli.progress import LossReader, Progress, no_load
from rollout.engine.observe import observe
from rollout.engine.outcome import Word
from rollout.engine.run import apply
from rollout.errors import StepFailed
from rollout.model.event import Event, GatewaysSampled
from rollout.model.plan import Plan
from rollout.planner.bringup import plan_bringup
from rollout.planner.naive import is_negative_control, plan_naive_upgrade
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade

WARM_SECONDS = 3.0
AFTER_SECONDS = 3.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Upgrade:
    """One upgrade under load, as counted."""

    load: LoadCount
    min_in_rib: int
    before: Versions
    after: Versions
    seconds: float


@dataclass(slots=True)
class LowestInRib:
    """Keeps the fewest gateways that any sample of the run saw in the ToR RIBs."""

    value: int | None = None

    def observe(self, event: Event) -> None:
        if isinstance(event, GatewaysSampled):
            self.value = event.in_rib if self.value is None else min(self.value, event.in_rib)

    def measured(self) -> int:
        if self.value is None:
            raise StepFailed("no sample of the ToR RIBs was taken in this run", where="demo")
        return self.value


def play(theatre: Theatre, version: str, say: Say, *, simulated: bool) -> Score:
    """Everything the scoreboard shows, from two fresh stages."""
    with theatre.stage() as stage:
        seconds_bringup = bring_up(stage)
        hosts_changed = len({o.node for o in stage.hosts.outcomes if o.changed})
        tor_lines = sum(len(change.diff) for change in stage.switches.changes)
        unchanged, diff_empty = second_host_run(stage), second_diff_empty(stage)
        say(
            f"second look: {unchanged} of {len(stage.site.nodes)} hosts unchanged, ToR diff empty: {diff_empty}"
        )
        good = upgrade(stage, version)
        say(_loss_words(good.load))
        seconds_up, total, nodes = stage.seconds_up, len(stage.site.gateway_nodes), len(stage.site.nodes)
    say("negative control: the same upgrade on a fresh lab, evict first and all racks at once")
    with theatre.stage() as stage:
        bring_up(stage)
        naive = upgrade(stage, version, naive=True)
    return Score(
        simulated=simulated,
        sent=good.load.sent,
        lost=good.load.lost,
        keepalive_lost=_kept_alive_lost(good.load),
        gateways_total=total,
        gateways_min_in_rib=good.min_in_rib,
        naive_sent=naive.load.sent,
        naive_lost=naive.load.lost,
        naive_keepalive_lost=_kept_alive_lost(naive.load),
        naive_min_in_rib=naive.min_in_rib,
        nodes=nodes,
        hosts_changed=hosts_changed,
        hosts_unchanged_second_run=unchanged,
        tor_lines_applied=tor_lines,
        tor_second_diff_empty=diff_empty,
        before=good.before,
        after=good.after,
        seconds_lab_up=seconds_up,
        seconds_bringup=seconds_bringup,
        seconds_upgrade=good.seconds,
    )


def bring_up(stage: Stage) -> float:
    """Deploy the demo's echo service, then carry out the bringup plan; seconds that the plan took."""
    stage.world.cluster.apply([doc for doc in yaml.safe_load_all(ECHO_APP.read_text("utf-8")) if doc])
    plan = plan_bringup(asked(stage.site, observe(stage.world), stage.world.roles))
    started = time.monotonic()
    _carry_out(stage, plan, "bringup")
    return time.monotonic() - started


def second_host_run(stage: Stage) -> int:
    """Configure every host again; how many needed nothing."""
    outcomes = stage.world.hosts.configure(stage.site.nodes, dry_run=False)
    return sum(1 for outcome in outcomes if not outcome.changed and outcome.error is None)


def second_diff_empty(stage: Stage) -> bool:
    """Every ToR, compared again after it was configured, has nothing left to change."""
    return all(not stage.world.switches.diff(switch).diff for switch in stage.site.switches)


def upgrade(stage: Stage, version: str, *, naive: bool = False) -> Upgrade:
    """Carry out the upgrade while the outside client sends; the load starts before it and ends after it."""
    planner = plan_naive_upgrade if naive else plan_upgrade
    subject = stage.site.meshes[0].name
    plan = planner(asked(stage.site, observe(stage.world), stage.world.roles, (subject, version)))
    lowest, before = LowestInRib(), _versions(stage)
    with stage.load() as load:
        time.sleep(WARM_SECONDS)
        started = time.monotonic()
        title = "naive upgrade (negative control)" if naive else "upgrade"
        lost = _loss_of(lambda: load.latest)
        _carry_out(stage, plan, title, lost=lost, also=lowest.observe)
        seconds = time.monotonic() - started
        time.sleep(AFTER_SECONDS)
        count = load.stop()
    return Upgrade(count, lowest.measured(), before, _versions(stage), seconds)


def _loss_of(latest: Callable[[], LoadCount]) -> LossReader:
    return lambda: latest().lost + latest().keepalive_lost


def _kept_alive_lost(count: LoadCount) -> int | None:
    return count.keepalive_lost if count.keepalive_sent else None


def _loss_words(count: LoadCount) -> str:
    """What the load saw, and why each lost request was lost."""
    sent = f"{count.sent} new connections and {count.keepalive_sent} kept-alive requests"
    reasons = ", ".join(f"{number} x {reason}" for reason, number in count.reasons) or "none lost"
    return f"load: {sent}; {reasons}" + (f"; slowest {count.slowest_ms:.0f} ms" if count.slowest_ms else "")


def _versions(stage: Stage) -> Versions:
    """What every gateway runs, as the cluster says; a mixed fleet is shown as such."""
    found = sorted({proxy.version for proxy in stage.world.cluster.proxies() if proxy.gateway})
    return Versions("+".join(found), stage.envoys())


def _carry_out(
    stage: Stage,
    plan: Plan,
    title: str,
    *,
    lost: LossReader = no_load,
    also: Callable[[Event], None] | None = None,
) -> None:
    moves = ", ".join(f"{t.subject} {t.before or 'none'} → {t.after}" for t in plan.targets)
    with Progress(f"{title} of {stage.site.name}: {moves}, {plan.steps} steps", lost=lost) as progress:

        def watch(event: Event) -> None:
            progress.observe(event)
            if also is not None:
                also(event)

        outcome = apply(stage.world, plan, observer=watch, negative_control=is_negative_control(plan))
    if outcome.word is Word.INTERRUPTED:
        raise KeyboardInterrupt
    if outcome.word is not Word.DONE:
        raise StepFailed(f"the run ended as {outcome.word}: {outcome.detail}", where=title)
