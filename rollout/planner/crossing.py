"""Whether one hop is legal where it is made: the jump itself, and every mix of versions while it is under way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rollout.model.proof import ProvenSubject
from rollout.planner.components import HOP_ORDER, KUBERNETES, LEADERS
from rollout.planner.judge import Offence, Versions, jump_of, offences
from rollout.planner.movers import APISERVER, KUBELET, At, Mover
from rollout.rules.book import RuleBook

Position = tuple[At, ...]
"""Where each mover stands, in the movers' order."""


@dataclass(slots=True)
class Crossings:
    """Asks each distinct question once. ``known`` are offences of the start: they forbid nothing new."""

    book: RuleBook
    movers: tuple[Mover, ...]
    known: frozenset[Offence] = frozenset()
    _said: dict[tuple[object, ...], frozenset[Offence]] = field(default_factory=dict)
    _broken: dict[tuple[Position, int, str], frozenset[str]] = field(default_factory=dict)
    _near: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        here = tuple(mover.at for mover in self.movers)
        self.known = frozenset().union(*self._offences(dict(self._settled(here)), None))

    def broken(self, position: Position, index: int, version: str) -> frozenset[str]:
        """Ids of the rules that this mover's hop to ``version`` would break, by itself or for the others."""
        key = tuple(position[near] for near in self._neighbours(index)), index, version
        if key not in self._broken:
            self._broken[key] = frozenset(self._rules(position, index, version))
        return self._broken[key]

    def leaps(self, mover: Mover, before: str, after: str, asked: frozenset[str] | None) -> bool:
        """Whether the jump alone is allowed by the ``asked`` rules (all of them for None)."""
        broken = set(self._jump(mover, before, after))
        return not (broken if asked is None else broken & asked)

    def _jump(self, mover: Mover, before: str, after: str) -> Iterator[str]:
        """Kubelets may skip minors: upstream bounds only how far they trail."""
        if mover.component != KUBELET:
            said = jump_of(self.book, mover.subject, before, after)
            yield from (verdict.rule for verdict in said if verdict.refuses)

    def _neighbours(self, index: int) -> tuple[int, ...]:
        """Movers whose place has a say in this one's hops: its own and the API servers'; for those, everyone's."""
        if index not in self._near:
            everyone = range(len(self.movers))
            alone = self.movers[index].component != APISERVER
            near = (i for i in everyone if not alone or i == index or self.movers[i].component == APISERVER)
            self._near[index] = tuple(near)
        return self._near[index]

    def _rules(self, position: Position, index: int, version: str) -> Iterator[str]:
        mover, at = self.movers[index], position[index]
        yield from self._jump(mover, at.version, version)
        settled = dict(self._settled(position))
        for mixed in between(mover, at, version):
            running = {**settled, mover.subject: {**settled[mover.subject], **mixed}}
            for found in self._offences(running, mover):
                yield from (rule for rule, _ in found - self.known)

    def _settled(self, position: Position) -> Iterator[tuple[ProvenSubject, Versions]]:
        kubernetes: dict[str, tuple[str, ...]] = {}
        for mover, at in zip(self.movers, position, strict=True):
            if mover.component:
                kubernetes[mover.component] = tuple(sorted({at.version, *at.behind}))
                yield mover.subject, kubernetes
            else:
                yield mover.subject, settled(mover.subject.kind, at)

    def _offences(
        self, running: dict[ProvenSubject, Versions], mover: Mover | None
    ) -> Iterator[frozenset[Offence]]:
        """Only API servers reach into other subjects: by the support tables."""
        apiservers = next(
            (v[APISERVER] for s, v in running.items() if s.kind == KUBERNETES and APISERVER in v), ()
        )
        for subject, versions in running.items():
            if mover is None or mover.subject == subject or mover.component == APISERVER:
                yield self._asked(subject, versions, apiservers)

    def _asked(
        self, subject: ProvenSubject, versions: Versions, apiservers: tuple[str, ...]
    ) -> frozenset[Offence]:
        key = subject.name, tuple(sorted(versions.items())), apiservers
        if key not in self._said:
            self._said[key] = offences(self.book, subject, versions, apiservers)
        return self._said[key]


def settled(kind: str, at: At) -> Versions:
    """Leaders at the version, followers there or behind."""
    leaders = LEADERS.get(kind, ())
    mixed = tuple(sorted({at.version, *at.behind}))
    return {c: (at.version,) if c in leaders else mixed for c in HOP_ORDER.get(kind, leaders)}


def between(mover: Mover, at: At, version: str) -> Iterator[Versions]:
    """Every mix on the way: component after component, each one half moved and then moved."""
    if mover.component:
        yield {mover.component: tuple(sorted({at.version, *at.behind, version}))}
        yield {mover.component: (version,)}
        return
    now = dict(settled(mover.subject.kind, at))
    leaders = LEADERS.get(mover.subject.kind, ())
    stays = mover.subject.method == "revision"
    order = HOP_ORDER.get(mover.subject.kind, leaders)
    for component in reversed(order) if mover.down else order:
        mixed = tuple(sorted({*now[component], version}))
        yield {**now, component: mixed}
        now[component] = mixed if stays and component in leaders else (version,)
        yield dict(now)
    yield dict.fromkeys(order, (version,))
