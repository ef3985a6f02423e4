"""What the demo plays on a stage: bringup, second look, then an upgrade under the outside client's load."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import yaml

from lab.load.tally import LoadCount
from rollout.cli.demo.score import Versions
from rollout.cli.demo.stage import ROOT, Stage
from rollout.cli.progress import LossReader, Progress
from rollout.cli.wording import describe
from rollout.engine.observe import observe
from rollout.engine.run import RunOutcome, apply
from rollout.errors import StepFailed
from rollout.model.event import Event, GatewaysSampled
from rollout.model.plan import Plan
from rollout.planner.bringup import plan_bringup

ECHO_APP = ROOT / "lab" / "apps" / "echo.yaml"
WARM_SECONDS = 3.0
AFTER_SECONDS = 3.0


class Load(Protocol):
    """A running load: totals so far, and the final count once stopped."""

    @property
    def latest(self) -> LoadCount: ...

    def stop(self) -> LoadCount: ...


StartLoad = Callable[[Stage], AbstractContextManager[Load]]


@dataclass(slots=True)
class LowestInRib:
    """Keeps the fewest gateways that any sample of the run saw in the ToR RIBs."""

    value: int | None = None

    def observe(self, event: Event) -> None:
        if isinstance(event, GatewaysSampled):
            self.value = event.in_rib if self.value is None else min(self.value, event.in_rib)

    def measured(self) -> int:
        if self.value is None:
            raise StepFailed("no sample of the ToR RIBs was taken", where="demo", hint="report this as a bug")
        return self.value


@dataclass(frozen=True, slots=True)
class UpgradeResult:
    load: LoadCount
    min_in_rib: int
    seconds: float


def bring_up(stage: Stage) -> float:
    """Deploy the demo's echo service, then carry out the bringup plan; seconds that the plan took."""
    objects = [doc for doc in yaml.safe_load_all(ECHO_APP.read_text(encoding="utf-8")) if doc]
    stage.world.cluster.apply(objects)
    plan = plan_bringup(stage.site, observe(stage.world), stage.world.roles)
    started = time.monotonic()
    _carry_out(stage, plan, f"bringup of {stage.site.name}: {plan.steps} steps")
    return time.monotonic() - started


def second_host_run(stage: Stage) -> int:
    """Configure every host again; how many needed nothing."""
    outcomes = stage.world.hosts.configure(stage.site.nodes, dry_run=False)
    return sum(1 for outcome in outcomes if not outcome.changed and outcome.error is None)


def second_diff_empty(stage: Stage) -> bool:
    """Every ToR, compared again after it was configured, has nothing left to change."""
    return all(not stage.world.switches.diff(switch).diff for switch in stage.site.switches)


def upgrade_under_load(stage: Stage, plan: Plan, title: str, start_load: StartLoad) -> UpgradeResult:
    """Carry out ``plan`` while the outside client sends; the load starts before and ends after it."""
    lowest = LowestInRib()
    with start_load(stage) as load:
        time.sleep(WARM_SECONDS)
        started = time.monotonic()
        _carry_out(stage, plan, title, lowest=lowest, lost=lambda: load.latest.lost + load.latest.keepalive_lost)
        seconds = time.monotonic() - started
        time.sleep(AFTER_SECONDS)
        return UpgradeResult(load.stop(), lowest.measured(), seconds)


def mesh_versions(stage: Stage, envoy: Callable[[Stage], str]) -> Versions:
    """The one version that every gateway now runs, as the cluster says; a mixed fleet is shown as such."""
    found = sorted({proxy.version for proxy in stage.world.cluster.proxies() if proxy.gateway})
    return Versions("+".join(found), envoy(stage))


def _carry_out(
    stage: Stage, plan: Plan, title: str, *, lowest: LowestInRib | None = None, lost: LossReader = lambda: None
) -> None:
    with Progress(title, describe, lost=lost) as progress:

        def watch(event: Event) -> None:
            progress.observe(event)
            if lowest is not None:
                lowest.observe(event)

        outcome = apply(stage.world, plan, observer=watch)
    _require_done(outcome)


def _require_done(outcome: RunOutcome) -> None:
    if outcome.word != "done":
        raise StepFailed(f"the run ended as {outcome.word}: {outcome.detail}", where="demo")


