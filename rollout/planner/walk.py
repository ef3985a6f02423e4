"""Every state a plan passes through, in order, with its configuration interned and judged once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rollout.model.plan import Wave
from rollout.model.proof import ProvenSubject
from rollout.model.step import Step
from rollout.planner.components import INJECTED, KUBERNETES, proxy_of
from rollout.planner.fleet import Component, Fleet, after, during, injected
from rollout.planner.judge import Offence, Versions, offences, verdicts
from rollout.rules.book import RuleBook
from rollout.rules.evaluate import RuleVerdict

Key = tuple[tuple[Component, tuple[str, ...]], ...]
Merged = tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]
"""A subject and its versions, those that a proxy would restart with counted in."""


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
    restarts: dict[str, RuleVerdict] = field(default_factory=dict)
    _asked: set[Merged] = field(default_factory=set)
    _known: frozenset[Offence] | None = None

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

    def restart(self, step: str, fleet: Fleet, source: Fleet) -> None:
        """Pods restart whenever they like: what is injected now must be legal beside all that runs.

        ``source`` is whose charts inject: while a control plane rolls, they are those that it will have.
        Fills ``restarts``, the first step for each broken rule first; what the start broke is no news.
        """
        new: set[Offence] = set()
        for subject in self.subjects:
            merged = _with_restarts(subject, fleet, source)
            if merged not in self._asked:
                self._asked.add(merged)
                new |= self._leak(step, subject, dict(merged[1]))
        if self._known is None:
            self._known, self.restarts = frozenset(new), {}

    def _leak(self, step: str, subject: ProvenSubject, versions: Versions) -> frozenset[Offence]:
        try:
            apart = offences(self.book, subject, versions, ()) - (self._known or frozenset())
            said = verdicts(self.book, subject, versions, ()) if apart else ()
        except ValueError:
            return frozenset()
        for verdict in said:
            if verdict.refuses:
                self.restarts.setdefault(step, verdict)
        return apart


def _with_restarts(subject: ProvenSubject, fleet: Fleet, source: Fleet) -> Merged:
    """As it runs where nobody can say what is injected, or where each revision injects its own."""
    name, proxy = subject.name, proxy_of(subject.kind)
    mine = {component: fleet.versions(name, component) for owner, component in fleet.counts if owner == name}
    if subject.kind in INJECTED and subject.method != "revision" and mine.get(proxy):
        mine[proxy] = tuple(sorted({*mine[proxy], *injected(source, name)}))
    return name, tuple(sorted((component, found) for component, found in mine.items() if found))


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
    judgements.restart("start", fleet, fleet)
    yield State("start", number, fleet, -1)
    for wave, step in steps_of(waves):
        between = during(fleet, step)
        then = after(fleet, step)
        if between is not None:
            judgements.restart(step.key, between, then)
            yield State(step.key, judgements.number(between), between, wave, during=True)
        before, number = number, judgements.number(then) if then.counts is not fleet.counts else number
        if number != before or then.releases is not fleet.releases:
            judgements.restart(step.key, then, then)
        if changed(fleet, then):
            yield State(step.key, number, then, wave)
        fleet = then


def changed(fleet: Fleet, then: Fleet) -> bool:
    """Releases alone are no state: no rule looks at them."""
    if then is fleet:
        return False
    return then.counts is not fleet.counts or (then.out, then.dark) != (fleet.out, fleet.dark)
