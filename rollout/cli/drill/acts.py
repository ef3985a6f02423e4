"""The drill in acts: stage, rotate under traffic, census, then the naive swap on the same stage."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from lab.mesh.tally import Handshakes
from rollout.cli.demo.acts import LowestInRib
from rollout.cli.drill.faults import HOLDS_SOON, Fault, NoFault
from rollout.cli.drill.ground import Ground, Say
from rollout.cli.drill.naive import swap
from rollout.cli.drill.rotation import Timeline, carry_out, planned, sign
from rollout.cli.drill.score import DrillScore
from rollout.cli.drill.site import drill_site
from rollout.cli.drill.stage import DrillStage, require_done, staged
from rollout.model.event import Event
from rollout.model.mesh import MeshKind
from rollout.planner.rotate import Course

WARM = 3.0
AFTER = 3.0
"""Seconds of traffic before and after, so that a window that opens late or closes late is seen."""


def play(
    kind: MeshKind,
    say: Say,
    fault: Fault | None = None,
    *,
    ground: Ground,
    naive: bool = True,
    keep: bool = False,
    again: bool = False,
) -> DrillScore:
    """Raises StepFailed where the rotation does not end as the fault (or its absence) says it must."""
    fault = fault or NoFault()
    with drill_site(kind, ground, keep=keep, again=again, impatient=fault.name in HOLDS_SOON) as drill:
        stage = staged(drill, say)
        score = _rotated(stage, fault, say)
        if naive:
            say("negative control: a new root in one step, signer and trust together")
            score = _with_naive(score, _naive(stage))
        return score


@dataclass(slots=True)
class _Watching:
    """Every event of the rotation. What goes wrong in here the engine would swallow: it is no affair of the run's."""

    stage: DrillStage
    fault: Fault
    timeline: Timeline = field(default_factory=Timeline)
    lowest: LowestInRib = field(default_factory=LowestInRib)
    troubles: list[Exception] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.timeline.watch(event)
        self.lowest.observe(event)
        try:
            self.fault.during(self.stage, event)
        except Exception as error:
            self.troubles.append(error)


def _rotated(stage: DrillStage, fault: Fault, say: Say) -> DrillScore:
    time.sleep(WARM)
    since, began = time.time(), time.monotonic()
    watch = _Watching(stage, fault)
    fault.before(stage)
    asked = time.monotonic()
    course, plan = planned(stage)
    watch.timeline.preflight = time.monotonic() - asked
    sign(stage, plan)
    outcome = fault.run(stage, plan, watch) or carry_out(stage, plan, watch)
    for trouble in watch.troubles:
        raise trouble
    require_done(fault.after(stage, outcome, watch), "rotation")
    seconds = time.monotonic() - began
    time.sleep(AFTER)
    score = _scored(watch, course, (since, time.time()), seconds)
    say(
        f"handshakes: {score.good.tried} tried, {score.good.failed} failed; {score.proxies} proxies seen, "
        f"{score.old_root_leaves} on the old root"
    )
    return score


def _scored(watch: _Watching, course: Course, span: tuple[float, float], seconds: float) -> DrillScore:
    stage, fault = watch.stage, watch.fault
    parties = stage.trust.sight().parties
    leaves = [party.leaf for party in parties if party.leaf is not None]
    old = stage.trust.authority(course.before).anchor
    return DrillScore(
        mesh=stage.mesh,
        lab=stage.ground.label,
        at=datetime.now(UTC),
        good=stage.handshakes(*span),
        naive=None,
        phases=watch.timeline.phases(),
        seconds=seconds,
        old_root_leaves=sum(1 for leaf in leaves if leaf.by and leaf.by.anchor == old),
        proxies=len(leaves),
        unseen=len(parties) - len(leaves),
        gateways_min=watch.lowest.value,
        gateways_total=len(stage.site.gateway_nodes) if stage.site.gateways else 0,
        lab_up=stage.lab_up,
        fault=fault.document() if fault.name else None,
        elsewhere=stage.handshakes(*span, without=fault.victim) if fault.victim else None,
    )


def _naive(stage: DrillStage) -> Handshakes:
    since = time.time()
    swap(stage)
    return stage.handshakes(since, time.time())


def _with_naive(score: DrillScore, naive: Handshakes) -> DrillScore:
    return replace(score, naive=naive)
