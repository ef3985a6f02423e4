"""Every state a plan passes through, in order, with its configuration interned and judged once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rollout.model.plan import Wave
from rollout.model.proof import ProvenSubject
from rollout.model.step import Step
from rollout.planner.components import KUBERNETES
from rollout.planner.fleet import Component, Fleet, after, during
from rollout.planner.judge import Offence, offences, verdicts
from rollout.rules.book import RuleBook
from rollout.rules.evaluate import RuleVerdict

Key = tuple[tuple[Component, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A configuration and what was found about it; ``unchecked`` is what no rule could be asked about."""

    versions: Key
    verdicts: tuple[RuleVerdict, ...]
    offences: frozenset[Offence]
    unchecked: tuple[str, ...]

    @property
    def refusing(self) -> tuple[RuleVerdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.refuses)


@dataclass(frozen=True, slots=True)
class State:
    """``wave`` counts from 0; the start belongs to none and says -1."""

    step: str
    configuration: int
    fleet: Fleet
    wave: int
    during: bool = False


@dataclass(slots=True)
class Judgements:
    """Interns configurations: rules are asked once for each distinct mix of versions, not once for each node."""

    book: RuleBook
    subjects: tuple[ProvenSubject, ...]
    found: dict[Key, int] = field(default_factory=dict)
    judged: list[Judged] = field(default_factory=list)

    def number(self, fleet: Fleet) -> int:
        key = versions_of(fleet)
        if key not in self.found:
            self.found[key] = len(self.judged)
            self.judged.append(self._judge(fleet, key))
        return self.found[key]

    def _judge(self, fleet: Fleet, key: Key) -> Judged:
        apiservers = fleet.versions(KUBERNETES, "apiserver")
        said: list[RuleVerdict] = []
        apart: set[Offence] = set()
        unchecked: list[str] = []
        for subject in self.subjects:
            mine = {component: found for (name, component), found in key if name == subject.name}
            try:
                found = verdicts(self.book, subject, mine, apiservers)
                if any(verdict.refuses for verdict in found):
                    apart |= offences(self.book, subject, mine, apiservers)
                said += found
            except ValueError as error:
                unchecked.append(f"{subject.name}: {error}")
        return Judged(key, tuple(dict.fromkeys(said)), frozenset(apart), tuple(unchecked))


def versions_of(fleet: Fleet) -> Key:
    found = ((key, fleet.versions(*key)) for key in sorted(fleet.counts))
    return tuple((key, versions) for key, versions in found if versions)


def steps_of(waves: Iterable[Wave]) -> Iterator[tuple[int, Step]]:
    """Each step with its wave's place."""
    for place, wave in enumerate(waves):
        for stage in wave.stages:
            for step in stage.steps:
                yield place, step


def states(fleet: Fleet, waves: Iterable[Wave], judgements: Judgements) -> Iterator[State]:
    """One for the start, then one for every step that changes a count, a version, or who serves."""
    number = judgements.number(fleet)
    yield State("start", number, fleet, -1)
    for wave, step in steps_of(waves):
        between = during(fleet, step)
        if between is not None:
            yield State(step.key, judgements.number(between), between, wave, during=True)
        then = after(fleet, step)
        if changed(fleet, then):
            number = judgements.number(then) if then.counts is not fleet.counts else number
            yield State(step.key, number, then, wave)
        fleet = then


def changed(fleet: Fleet, then: Fleet) -> bool:
    """Releases alone are no state: no rule looks at them."""
    if then is fleet:
        return False
    return then.counts is not fleet.counts or (then.out, then.dark) != (fleet.out, fleet.dark)
