"""Killed at every boundary: before an attempt, after it but before it was written down, and between waits.

The crash leaves the world as it is, throws the process's memory away and resumes from the records alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollout.engine.execute import Once
from rollout.engine.journal import Body, MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.outcome import StepOutcome, Word
from rollout.engine.run import apply, resume
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from rollout.rules.n1 import floor
from tests.unit.fake_world import TEMPO, FakeRack, running
from tests.unit.sites import site


class Crash(BaseException):
    """As ``kill -9``: nothing after it runs in this process."""


class CrashingJournal(MemoryJournal):
    """Dies at the n-th boundary. Two to each step: before its attempt, and after it with nothing recorded."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at
        self.boundaries = 0

    def drive(self, run: str, body: Body, stop: Event) -> StepOutcome | None:
        return super().drive(run, lambda once: body(self._crashing(once)), stop)

    def _crashing(self, once: Once) -> Once:
        def crashing(name: str, make: Callable[[], StepOutcome]) -> tuple[StepOutcome, bool]:
            def attempt() -> StepOutcome:
                self._boundary()
                outcome = make()
                self._boundary()
                return outcome

            return once(name, attempt)

        return crashing

    def _boundary(self) -> None:
        self.boundaries += 1
        self.left -= 1
        if self.left == 0:
            raise Crash


def run_to_the_end(rack: FakeRack, journal: MemoryJournal, crashes: int = 1) -> Word:
    from tests.unit.fake_world import world

    live = world(rack)
    plan = plan_upgrade(asked(rack.site, observe(live), live.roles, ("istio", "1.31.1")))
    try:
        return apply(live, plan, journal, clock=rack, tempo=TEMPO).word
    except Crash:
        rack.wait(Event(), 3)
    for _ in range(crashes):
        try:
            return resume(world(rack), journal, clock=rack, tempo=TEMPO).word
        except Crash:
            rack.wait(Event(), 3)
    return resume(world(rack), journal, clock=rack, tempo=TEMPO).word


def require_clean(rack: FakeRack) -> None:
    assert {pod.version for pod in rack.pods.values()} == {"1.31.1"}
    assert rack.lowest is not None
    assert rack.lowest >= floor(len(rack.site.gateway_nodes))
    assert (rack.lost, rack.marked()) == (0, [])
    evicted = Counter(line for line in rack.log if line.startswith("evict"))
    assert all(count == 1 for count in evicted.values()), "no pod is evicted twice"
    assert not any("at 1.31.1" in line for line in evicted), "no pod at the target is ever evicted"


def test_a_crash_at_every_single_boundary_of_an_upgrade_is_survived() -> None:
    rack, _ = running(site((1, 1), feeds=1, workers=1))
    whole = CrashingJournal(at=0)
    assert run_to_the_end(rack, whole) is Word.DONE
    assert whole.boundaries > 60
    for boundary in range(1, whole.boundaries + 1):
        rack, _ = running(site((1, 1), feeds=1, workers=1))
        assert run_to_the_end(rack, CrashingJournal(boundary)) is Word.DONE, f"boundary {boundary}"
        require_clean(rack)


@pytest.mark.parametrize("seconds", [0.1 * step for step in range(1, 120, 7)])
def test_a_crash_in_the_middle_of_a_wait_is_survived(seconds: float) -> None:
    rack, _ = running(site((1, 1), feeds=1, workers=1))
    end = rack.time + seconds

    def tick() -> None:
        if rack.time >= end:
            rack.each_tick = lambda: None
            raise Crash

    rack.each_tick = tick
    assert run_to_the_end(rack, MemoryJournal()) is Word.DONE
    require_clean(rack)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    racks=st.lists(st.integers(0, 3), min_size=1, max_size=4).filter(lambda counts: sum(counts) >= 2),
    workers=st.integers(0, 2),
    vips=st.integers(1, 2),
    crash=st.integers(0, 150),
    refusals=st.integers(0, 4),
)
def test_next_hops_never_fall_below_n_minus_1_on_any_small_site(
    racks: list[int], workers: int, vips: int, crash: int, refusals: int
) -> None:
    rack, _ = running(site(tuple(racks), workers=max(workers, 0 if all(racks) else 1), vips=vips, feeds=1))
    rack.refuse_evictions = refusals
    assert run_to_the_end(rack, CrashingJournal(crash)) is Word.DONE
    require_clean(rack)
