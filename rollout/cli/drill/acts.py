"""The drill in acts: stage, rotate under traffic, census, then the naive swap on the same stage."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

from lab.mesh.tally import Handshakes
from rollout.cli.demo.acts import LowestInRib
from rollout.cli.drill.faults import HOLDS_SOON, Fault, NoFault
from rollout.cli.drill.naive import swap
from rollout.cli.drill.rotation import Timeline, carry_out, planned, sign
from rollout.cli.drill.score import DrillScore
from rollout.cli.drill.site import Berth, drill_site
from rollout.cli.drill.stage import DrillStage, Say, require_done, staged
from rollout.model.event import Event
from rollout.model.site import MeshKind

WARM = 3.0
AFTER = 3.0
"""Seconds of traffic before and after, so that a window that opens late or closes late is seen."""


def play(
    kind: MeshKind,
    say: Say,
    fault: Fault | None = None,
    *,
    berth: Berth,
    naive: bool = True,
    keep: bool = False,
) -> DrillScore:
    """Raises StepFailed where the rotation does not end as the fault (or its absence) says it must."""
    fault = fault or NoFault()
    with drill_site(kind, berth, keep=keep, impatient=fault.name in HOLDS_SOON) as drill:
        stage = staged(drill, say)
        score = _rotated(stage, fault, say)
        if naive:
            say("negative control: a new root in one step, signer and trust together")
            score = _with_naive(score, _naive(stage))
        return score


def _rotated(stage: DrillStage, fault: Fault, say: Say) -> DrillScore:
    time.sleep(WARM)
    since, began = time.time(), time.monotonic()
    timeline, lowest = Timeline(), LowestInRib()
    troubles: list[Exception] = []
    fault.before(stage)
    asked = time.monotonic()
    course, plan = planned(stage)
    timeline.preflight = time.monotonic() - asked
    sign(stage, plan)

    def watch(event: Event) -> None:
        """What goes wrong here would be swallowed by the engine, for which it is somebody else's."""
        timeline.watch(event)
        lowest.observe(event)
        try:
            fault.during(stage, event)
        except Exception as error:
            troubles.append(error)

    outcome = fault.run(stage, plan, watch) or carry_out(stage, plan, watch)
    for trouble in troubles:
        raise trouble
    require_done(fault.after(stage, outcome, watch), "rotation")
    seconds = time.monotonic() - began
    time.sleep(AFTER)
    until = time.time()
    parties = stage.trust.sight().parties
    old = stage.trust.authority(course.before).anchor
    left = sum(1 for p in parties if p.leaf and p.leaf.by and p.leaf.by.anchor == old)
    good = stage.handshakes(since, until)
    say(
        f"handshakes: {good.tried} tried, {good.failed} failed; {len(parties)} proxies seen, {left} on the old root"
    )
    return DrillScore(
        mesh=stage.mesh,
        at=datetime.now(UTC),
        good=good,
        naive=None,
        phases=timeline.phases(),
        seconds=seconds,
        old_root_leaves=left,
        proxies=len(parties),
        gateways_min=lowest.value,
        gateways_total=len(stage.site.gateway_nodes) if stage.site.gateways else 0,
        fault=fault.document() if fault.name else None,
        elsewhere=stage.handshakes(since, until, without=fault.victim) if fault.victim else None,
    )


def _naive(stage: DrillStage) -> Handshakes:
    since = time.time()
    swap(stage)
    return stage.handshakes(since, time.time())


def _with_naive(score: DrillScore, naive: Handshakes) -> DrillScore:
    return replace(score, naive=naive)
