"""What a path moves: each subject where it stands, and the versions it may pass through on its way."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from rollout.model.proof import ProvenSubject
from rollout.planner.components import HOP_ORDER, KUBERNETES, LEADERS
from rollout.planner.fleet import Fleet
from rollout.planner.refuse import refuse
from rollout.rules.book import RuleBook
from rollout.rules.evaluate import UnknownLine, VersionInvalid, latest_patch, line_row, lines, place

APISERVER = "apiserver"
KUBELET = "kubelet"


@dataclass(frozen=True, slots=True)
class Standing:
    """One subject as found: component to the distinct versions that run."""

    subject: ProvenSubject
    running: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class At:
    """Where a mover stands. ``behind`` are versions that its followers still run beside ``version``."""

    version: str
    behind: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mover:
    """``component`` is empty for a subject that moves as one. ``options`` lead to the goal, which is the last.

    ``unnamed`` are options that stand for a line of which no release is known. Without options it stays.
    """

    subject: ProvenSubject
    component: str
    at: At
    options: tuple[str, ...] = ()
    unnamed: frozenset[str] = frozenset()
    down: bool = False

    @property
    def walks(self) -> bool:
        """Whether a hop of it goes node by node."""
        return self.component != APISERVER

    @property
    def name(self) -> str:
        return f"{self.subject.name} {self.component}".strip()


def standing_of(fleet: Fleet) -> tuple[Standing, ...]:
    """Every subject of the fleet of which something runs."""
    found = []
    for subject in fleet.subjects.values():
        mine = {c: fleet.versions(name, c) for name, c in fleet.counts if name == subject.name}
        if running := {component: versions for component, versions in mine.items() if versions}:
            found.append(Standing(subject, running))
    return tuple(found)


def movers_of(
    book: RuleBook,
    standing: Collection[Standing],
    goal: Mapping[str, str],
    via: Mapping[str, Collection[str]],
) -> tuple[Mover, ...]:
    """Those with a goal first and in its order: it decides between paths that cost the same.

    Raises RuleRefused for a goal or a start that the rules cannot place.
    """
    known = {one.subject.name: one for one in standing}
    order = [name for name in goal if name in known] + [name for name in known if name not in goal]
    return tuple(m for name in order for m in _movers(book, known[name], goal.get(name), via.get(name, ())))


def _movers(book: RuleBook, standing: Standing, goal: str | None, via: Collection[str]) -> Iterator[Mover]:
    for component, running in _parts(standing):
        try:
            yield _mover(book, standing.subject, component, running, goal, via)
        except UnknownLine as error:
            if goal is not None:
                fix = "choose a known line, or add its row to the rules' data"
                raise refuse("PLAN-VERSION-02", str(error), fix=fix) from None
        except VersionInvalid as error:
            if goal is not None:
                raise refuse("PLAN-VERSION-01", str(error), fix="give full versions, like 1.31.1") from None


def _parts(standing: Standing) -> Iterator[tuple[str, tuple[tuple[str, ...], tuple[str, ...]]]]:
    """(component, (leaders' versions, followers' versions)) of each part that moves by itself."""
    running = standing.running
    if standing.subject.kind == KUBERNETES:
        for component in (APISERVER, KUBELET):
            if component in running:
                yield component, (running[component], ())
        return
    kind = standing.subject.kind
    leaders = {v for c in LEADERS.get(kind, ()) for v in running.get(c, ())}
    own = {v for c in HOP_ORDER.get(kind, ()) for v in running.get(c, ())}
    if leaders:
        yield "", (tuple(sorted(leaders)), tuple(sorted(own - leaders)))


def _mover(
    book: RuleBook,
    subject: ProvenSubject,
    component: str,
    running: tuple[tuple[str, ...], tuple[str, ...]],
    goal: str | None,
    via: Collection[str],
) -> Mover:
    kind = subject.kind
    newest = max(place(book, kind, version) for version in running[0])
    others = {place(book, kind, version) for group in running for version in group} - {newest}
    at = At(newest.text, tuple(sorted(release.text for release in others)))
    if goal is None:
        return Mover(subject, component, at)
    options, unnamed = _options(book, kind, at.version, goal, via)
    if at.behind:
        options = (at.version, *options) if at.version not in options else options
    down = place(book, kind, goal) < newest
    return Mover(subject, component, at, options, unnamed, down)


def _options(
    book: RuleBook, kind: str, start: str, goal: str, via: Collection[str]
) -> tuple[tuple[str, ...], frozenset[str]]:
    """One version for each line from the start's to the goal's: the named one, or the newest the data has seen."""
    first, last = place(book, kind, start), place(book, kind, goal)
    if first == last:
        return (), frozenset()
    named = {place(book, kind, version).line: version for version in via}
    order = lines(book, kind)
    here, there = order.index(first.line), order.index(last.line)
    between = order[here + 1 : there] if here <= there else order[here - 1 : there : -1]
    edges = last.text.startswith("edge-")
    found = {line: named.get(line) or _seen(book, kind, line, edges=edges) for line in between}
    options = tuple(found[line] or placeholder(line) for line in between)
    own = (named[first.line],) if first.line in named and named[first.line] != start else ()
    unnamed = frozenset(placeholder(line) for line in between if not found[line])
    return (*own, *options, last.text), unnamed


def _seen(book: RuleBook, kind: str, line: str, *, edges: bool) -> str | None:
    """The newest release that the data has seen; of Linkerd's edges at least the one that began the line."""
    row = line_row(book, kind, line)
    return latest_patch(book, kind, line) or (row.edge if row and edges else None)


def placeholder(line: str) -> str:
    """Some release of the line: enough for rules that speak of lines, never part of an answer."""
    return f"{line}.0"
