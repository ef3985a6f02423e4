"""One upgrade with one failure, to its end: applied, stopped, repaired, resumed; and what was seen meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event

from rollout.engine.abort import abort
from rollout.engine.journal import MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.outcome import RunOutcome, Word
from rollout.engine.run import apply, resume
from rollout.model.event import Event as RunEvent
from rollout.model.event import StepStarted
from rollout.model.plan import Plan
from rollout.planner.request import asked
from rollout.planner.rollback import plan_rollback
from rollout.planner.upgrade import plan_upgrade
from tests.chaos.faults import Fault
from tests.chaos.meter import Meter
from tests.chaos.saboteur import Killed, Saboteur
from tests.chaos.scenario import Scenario
from tests.unit.fake_world import TEMPO, FakeRack, running

BEFORE, AFTER = "1.30.3", "1.31.1"
EVERY_FIFTH = 5
"""Of the finished runs, every so many are rolled back."""
RESUMES = 4
OPERATOR_COMES = 4.0
"""Simulated seconds after the first stop; each time twice as long."""
Change = Callable[[Plan], Plan]


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended and everything that must hold of it; ``wrong`` is empty when all of it does."""

    seed: int
    fault: Fault
    word: Word
    stops: tuple[str, ...]
    resumes: int
    kills: int
    lowest: int
    floor: int
    lost: int
    samples: int
    most_taken: int
    foreign_touched: tuple[str, ...]
    wrong: tuple[str, ...]
    rolled_back: bool = False

    @property
    def outcome(self) -> str:
        if self.word is Word.DONE:
            return "done after resume" if self.resumes else "done at once"
        return "held, aborted"


def unchanged(plan: Plan) -> Plan:
    return plan


def carry_out(scenario: Scenario, change: Change = unchanged) -> Ending:
    """``change`` is for negative controls: what becomes of the plan before it is applied."""
    rack, live = running(scenario.site)
    plan = change(plan_upgrade(asked(live.site, observe(live), live.roles, ("istio", AFTER))))
    saboteur = Saboteur(rack, scenario.pick(plan))
    meter = Meter(rack, saboteur)
    case = _Case(rack, saboteur, meter, MemoryJournal())
    rack.each_tick = case.tick
    last = case.drive(plan)
    ending = _ending(scenario.seed, case, last)
    if last.word is not Word.DONE:
        return replace(ending, wrong=(*ending.wrong, *_aborted(case)))
    if scenario.seed % EVERY_FIFTH == 0 and not ending.wrong:
        return replace(ending, rolled_back=True, wrong=tuple(_taken_back(case, plan)))
    return ending


def _aborted(case: _Case) -> list[str]:
    """The operator gives up: what the run had out of service goes back, and no foreign mark with it."""
    run = case.journal.runs()[-1].id
    case.saboteur.repair_silently()
    abort(case.saboteur.world(), case.journal, clock=case.rack, tempo=TEMPO)
    case.rack.wait(Event(), 3.0)
    ours = [n.name for n in case.rack.nodes.values() if n.owner == run]
    wrong = [f"marks left after the abort on {', '.join(ours)}"] if ours else []
    if case.meter.touched:
        wrong.append(f"the abort removed foreign marks from {', '.join(sorted(case.meter.touched))}")
    everyone = {node.name for node in case.rack.site.gateway_nodes}
    return wrong + [
        f"{gateway.name} is not served everywhere after the abort"
        for gateway in case.rack.site.gateways
        if case.rack.routed(gateway) != everyone
    ]


def _taken_back(case: _Case, plan: Plan) -> list[str]:
    """A finished run is rolled back: everything at the version before, N-1 kept on that way too."""
    rack, meter = case.rack, Meter(case.rack, case.saboteur)
    rack.each_tick = meter.tick
    live = case.saboteur.world()
    back = plan_rollback(asked(live.site, observe(live), live.roles), plan)
    outcome = apply(live, back, case.journal, clock=rack, tempo=TEMPO)
    rack.wait(Event(), 3.0)
    versions = {pod.version for pod in rack.pods.values()}
    wrong = [] if outcome.word is Word.DONE else [f"the rollback is {outcome.word}: {outcome.detail}"]
    wrong += [] if versions == {BEFORE} else [f"pods run {', '.join(sorted(versions))} after the rollback"]
    wrong += [f"marks left by the rollback on {', '.join(rack.marked())}"] if rack.marked() else []
    wrong += [f"{meter.lost} looks lost on the way back"] if meter.lost else []
    lowest = meter.floor if meter.lowest is None else meter.lowest
    return wrong + ([f"{lowest} next-hops on the way back"] if lowest < meter.floor else [])


@dataclass(slots=True)
class _Case:
    rack: FakeRack
    saboteur: Saboteur
    meter: Meter
    journal: MemoryJournal
    stops: tuple[RunOutcome, ...] = ()
    resumes: int = 0
    kills: int = 0

    def tick(self) -> None:
        try:
            self.saboteur.tick()
        finally:
            self.meter.tick()

    def observe(self, event: RunEvent) -> None:
        if isinstance(event, StepStarted):
            self.saboteur.step_started(event.number)

    def drive(self, plan: Plan) -> RunOutcome:
        """Apply; after each stop the operator comes, repairs what can be, and resumes."""
        outcome = self._alive(lambda: self._apply(plan))
        while outcome is None or outcome.word is not Word.DONE:
            if outcome is not None:
                self.stops += (outcome,)
            if self.resumes == RESUMES:
                assert outcome is not None, "one kill only"
                return outcome
            self.rack.wait(Event(), OPERATOR_COMES * 2**self.resumes)
            if self.saboteur.on and self.saboteur.fault.repaired and self.saboteur.fault.lasts is None:
                self.saboteur.repair()
            self.resumes += 1
            outcome = self._alive(self._resume)
        return outcome

    def _apply(self, plan: Plan) -> RunOutcome:
        stop = self.saboteur.stop
        return apply(
            self.saboteur.world(), plan, self.journal, self.observe, stop=stop, clock=self.rack, tempo=TEMPO
        )

    def _resume(self) -> RunOutcome:
        self.saboteur.stop.clear()
        stop = self.saboteur.stop
        return resume(
            self.saboteur.world(), self.journal, self.observe, stop=stop, clock=self.rack, tempo=TEMPO
        )

    def _alive(self, go: Callable[[], RunOutcome]) -> RunOutcome | None:
        try:
            return go()
        except Killed:
            self.kills += 1
            return None


def _ending(seed: int, case: _Case, last: RunOutcome) -> Ending:
    meter, saboteur = case.meter, case.saboteur
    assert meter.lowest is not None
    ending = Ending(
        seed=seed,
        fault=saboteur.fault,
        word=last.word,
        stops=tuple(stop.detail for stop in case.stops),
        resumes=case.resumes,
        kills=case.kills,
        lowest=meter.lowest,
        floor=meter.floor,
        lost=meter.lost,
        samples=meter.samples,
        most_taken=max(saboteur.taken.values(), default=0),
        foreign_touched=tuple(sorted(meter.touched)),
        wrong=(),
    )
    return replace(ending, wrong=tuple(_wrong(ending, case, last)))


def _wrong(ending: Ending, case: _Case, last: RunOutcome) -> list[str]:
    wrong = [*_safety(ending), *_reasons(ending)]
    if last.word is Word.DONE:
        wrong += _finished(case)
    else:
        wrong += _unsaid(case, last)
        if ending.fault.repaired:
            wrong.append(f"not done after {ending.resumes} resumes although the fault was repaired")
    if not case.saboteur.begun:
        wrong.append("the fault never came: this run shows nothing")
    return wrong


def _safety(ending: Ending) -> list[str]:
    wrong = []
    if ending.lowest < ending.floor:
        wrong.append(f"{ending.lowest} next-hops, {ending.floor} must be")
    if ending.lost:
        wrong.append(f"{ending.lost} looks found a next-hop without a serving pod")
    if ending.most_taken > 1:
        wrong.append(f"a pod was evicted {ending.most_taken} times")
    if ending.foreign_touched:
        wrong.append(f"foreign marks removed from {', '.join(ending.foreign_touched)}")
    return wrong


def _reasons(ending: Ending) -> list[str]:
    says = re.compile(ending.fault.says)
    return [f"a stop does not say why: {detail!r}" for detail in ending.stops if not says.search(detail)]


def _finished(case: _Case) -> list[str]:
    """At the target, in service everywhere, and no mark of ours anywhere."""
    rack = case.rack
    case.saboteur.repair()
    rack.each_tick = lambda: None
    rack.wait(Event(), 3.0)
    versions = {pod.version for pod in rack.pods.values()}
    wrong = [] if versions == {AFTER} else [f"pods run {', '.join(sorted(versions))}"]
    everyone = {node.name for node in rack.site.gateway_nodes}
    for gateway in rack.site.gateways:
        if rack.routed(gateway) != everyone:
            wrong.append(f"{gateway.name} is not served by {sorted(everyone - rack.routed(gateway))}")
    return wrong + ([f"marks left on {', '.join(rack.marked())}"] if rack.marked() else [])


def _unsaid(case: _Case, last: RunOutcome) -> list[str]:
    """Whatever the run left out of service is named in its outcome."""
    rack = case.rack
    ours = {n.name for n in rack.nodes.values() if n.owner == last.run}
    drained = {p.node for p in rack.pods.values() if p.failing and p.gone_at is None}
    said = {line.split(" ", 1)[0] for line in last.left}
    return [f"{name} is half-done and not named" for name in sorted((ours | drained) - said)]
