"""The way back on the rack in memory (simulated): from the end of a run, from the middle, and after a crash."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event

import pytest

from rollout.engine.abort import abort
from rollout.engine.journal import Fate, MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.outcome import RunOutcome, Word
from rollout.engine.ports import World
from rollout.engine.rollback import to_undo
from rollout.engine.run import apply
from rollout.model.observed import Observed
from rollout.model.plan import Plan
from rollout.model.step import Evict, InstallChart
from rollout.planner.request import asked
from rollout.planner.rollback import plan_rollback
from rollout.planner.upgrade import plan_upgrade
from tests.unit.fake_world import TEMPO, FakeRack, running
from tests.unit.sites import site
from tests.unit.test_engine_crash import Crash, CrashingJournal


@dataclass
class Scene:
    rack: FakeRack
    live: World
    journal: MemoryJournal = field(default_factory=MemoryJournal)

    def up(self) -> Plan:
        return plan_upgrade(asked(self.live.site, observe(self.live), self.live.roles, ("istio", "1.31.1")))

    def back(self) -> Plan:
        request = asked(self.live.site, observe(self.live), self.live.roles)
        return plan_rollback(request, to_undo(self.journal).plan)

    def go(self, plan: Plan) -> RunOutcome:
        return apply(self.live, plan, self.journal, clock=self.rack, tempo=TEMPO)

    def abort(self) -> None:
        abort(self.live, self.journal, clock=self.rack, tempo=TEMPO)


def scene(journal: MemoryJournal | None = None) -> Scene:
    return Scene(*running(site((2, 2), workers=1)), journal or MemoryJournal())


def moving(found: Observed) -> dict[str, object]:
    """What a run moves: proxies' versions, and the control plane's and the gateways' charts. CRDs stay forward."""
    charts = {c.release: c.version for c in found.charts if c.release != "istio-base"}
    return {"proxies": {p.version for p in found.proxies if not p.terminating}, "charts": charts}


def test_a_finished_run_is_taken_back_to_where_it_started_and_never_below_n_minus_1() -> None:
    here = scene()
    before = moving(observe(here.live))
    assert here.go(here.up()).word is Word.DONE
    forward = here.rack.time
    ended = here.go(here.back())
    assert (ended.word, ended.exit_code) == (Word.DONE, 6)
    assert moving(observe(here.live)) == before
    assert (here.rack.lowest, here.rack.lost, here.rack.marked()) == (3, 0, [])
    assert here.rack.time - forward < forward, "faster than it went up"


def test_the_data_plane_is_back_before_its_control_plane() -> None:
    here = scene()
    here.go(here.up())
    effects = [step.effect for _, _, _, step in here.back().numbered()]
    evictions = [i for i, effect in enumerate(effects) if isinstance(effect, Evict)]
    control = [
        i
        for i, e in enumerate(effects)
        if isinstance(e, InstallChart) and (e.release, e.version) == ("istiod", "1.30.3")
    ]
    assert max(evictions) < min(control)


@pytest.mark.parametrize("boundary", [5, 15, 25, 36, 47, 58, 80, 100, 115])
def test_a_run_that_was_killed_anywhere_is_aborted_and_taken_back(boundary: int) -> None:
    here = scene(CrashingJournal(boundary))
    before = moving(observe(here.live))
    with pytest.raises(Crash):
        here.go(here.up())
    here.rack.wait(Event(), 1)
    here.abort()
    back = here.back()
    ended = here.go(back)
    assert ended.word is Word.DONE
    assert moving(observe(here.live)) == before
    assert here.rack.lowest in (3, 4)
    assert (here.rack.lost, here.rack.marked()) == (0, [])
    if back.steps:
        assert here.journal.fate(here.journal.runs()[0].id) is Fate.ROLLED_BACK


def test_a_rollback_that_is_killed_goes_on_where_it_was() -> None:
    from rollout.engine.run import resume

    here = scene()
    before = moving(observe(here.live))
    first = here.go(here.up())
    crashing = CrashingJournal(50)
    crashing.add(here.journal.load(first.run))
    crashing.abort(first.run)
    here.journal = crashing
    with pytest.raises(Crash):
        here.go(here.back())
    ended = resume(here.live, crashing, clock=here.rack, tempo=TEMPO)
    assert (ended.word, ended.exit_code, ended.undoes) == (Word.DONE, 6, first.run)
    assert moving(observe(here.live)) == before
    assert (here.rack.lowest, here.rack.lost, here.rack.marked()) == (3, 0, [])
