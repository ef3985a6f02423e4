"""The shortest legal way to versions that no single hop reaches, over several subjects at once.

A* over release lines: fewest hops, then fewest walks over the nodes, then the order in which the goal was asked for;
what is left is estimated by the jump rules alone, which never say too much. Every mix of versions on the way is judged
by the rules, so each hop of the answer can be planned and proven like an upgrade of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count

from rollout.model.plan import Hop
from rollout.planner.crossing import Crossings, Position
from rollout.planner.movers import At, Mover, Standing, movers_of
from rollout.planner.refuse import RuleRefused, refuse
from rollout.planner.unsat import smallest_core
from rollout.rules.book import RuleBook
from rollout.rules.words import statement

_Way = tuple[tuple[int, int], ...]
"""Hops as (mover, option), the smaller the earlier in the goal and the nearer."""


def find(
    book: RuleBook,
    standing: Collection[Standing],
    goal: Mapping[str, str],
    via: Mapping[str, Collection[str]] | None = None,
) -> tuple[Hop, ...]:
    """Hops in order; none if everything is there. ``via`` names the release to use for a line on the way.

    Raises RuleRefused: PLAN-PATH-01 with the smallest set of rules that leaves no way, PLAN-PATH-02 where the only
    ways lead through a line of which no release is known.
    """
    movers = movers_of(book, standing, goal, via or {})
    crossings = Crossings(book, movers)
    named = tuple(replace(m, options=tuple(o for o in m.options if o not in m.unnamed)) for m in movers)
    way = _search(crossings, named, None)
    if way is not None:
        return tuple(_hops(named, way))
    way = _search(crossings, movers, None)
    if way is not None:
        raise _unnamed(movers, way)
    raise _impossible(book, movers, core_of(crossings))


def core_of(crossings: Crossings) -> frozenset[str]:
    """The fewest rules that together leave no way; without any one of them there would be one."""

    def avoiding(rules: frozenset[str]) -> frozenset[str] | None:
        way = _search(crossings, crossings.movers, rules)
        return None if way is None else frozenset(_broken(crossings, way))

    return smallest_core(avoiding)


def _search(crossings: Crossings, movers: tuple[Mover, ...], asked: frozenset[str] | None) -> _Way | None:
    """The cheapest way that breaks none of the ``asked`` rules; all of the rules where that is None."""
    start: Position = tuple(mover.at for mover in movers)
    goal: Position = tuple(At(mover.options[-1]) if mover.options else mover.at for mover in movers)
    left = tuple(_left(crossings, mover, asked) for mover in movers)
    serial = count()
    queue: list[tuple[int, int, _Way, int, Position]] = [(0, 0, (), next(serial), start)]
    seen: set[Position] = set()
    while queue:
        *_, way, _, position = heappop(queue)
        if position == goal:
            return way
        if position in seen:
            continue
        seen.add(position)
        for index, option, then in _next(crossings, movers, position, asked):
            ahead = [hops[at.version] for hops, at in zip(left, then, strict=True)]
            if then not in seen and None not in ahead:
                longer = (*way, (index, option))
                hops, walks = _cost(movers, longer, ahead)
                heappush(queue, (hops, walks, longer, next(serial), then))
    return None


def _cost(movers: tuple[Mover, ...], way: _Way, ahead: Sequence[int | None]) -> tuple[int, int]:
    """Of the hops made and of those that are left at least."""
    estimated = [(mover.walks, hops or 0) for mover, hops in zip(movers, ahead, strict=True)]
    hops = len(way) + sum(more for _, more in estimated)
    walks = sum(movers[index].walks for index, _ in way) + sum(more for walks, more in estimated if walks)
    return hops, walks


def _left(crossings: Crossings, mover: Mover, asked: frozenset[str] | None) -> dict[str, int | None]:
    """Fewest hops from each version to the goal as far as jumps allow; None where they lead nowhere."""
    here = (mover.at.version, *(o for o in mover.options if o != mover.at.version))
    found: dict[str, int | None] = {here[-1]: 0}
    for index in range(len(here) - 2, -1, -1):
        steps = [
            1 + more
            for version in here[index + 1 :]
            if (more := found[version]) is not None and crossings.leaps(mover, here[index], version, asked)
        ]
        found[here[index]] = min(steps, default=None)
    return found


def _next(
    crossings: Crossings, movers: tuple[Mover, ...], position: Position, asked: frozenset[str] | None
) -> Iterator[tuple[int, int, Position]]:
    for index, mover in enumerate(movers):
        for option in range(_first(mover, position[index]), len(mover.options)):
            version = mover.options[option]
            broken = crossings.broken(position, index, version)
            if not (broken if asked is None else broken & asked):
                yield index, option, (*position[:index], At(version), *position[index + 1 :])


def _first(mover: Mover, at: At) -> int:
    """Only onwards: the option after where it stands, or that one itself while followers are behind."""
    place = mover.options.index(at.version) if at.version in mover.options else -1
    return place if at.behind and place >= 0 else place + 1


def _positions(movers: tuple[Mover, ...], way: _Way) -> Iterator[tuple[Position, int, str]]:
    position: Position = tuple(mover.at for mover in movers)
    for index, option in way:
        version = movers[index].options[option]
        yield position, index, version
        position = (*position[:index], At(version), *position[index + 1 :])


def _broken(crossings: Crossings, way: _Way) -> Iterator[str]:
    for position, index, version in _positions(crossings.movers, way):
        yield from crossings.broken(position, index, version)


def _hops(movers: tuple[Mover, ...], way: _Way) -> Iterator[Hop]:
    for position, index, version in _positions(movers, way):
        mover = movers[index]
        yield Hop(mover.subject.name, position[index].version, version, mover.component)


def _unnamed(movers: tuple[Mover, ...], way: _Way) -> RuleRefused:
    needed = [
        (movers[index], version)
        for _, index, version in _positions(movers, way)
        if version in movers[index].unnamed
    ]
    missing = dict.fromkeys((mover.subject.name, version.removesuffix(".0")) for mover, version in needed)
    text = "; ".join(
        f"the way leads over {name} {line}, and no release of it is known" for name, line in missing
    )
    flags = " ".join(f"--via {name}={line}.<patch>" for name, line in missing)
    return refuse("PLAN-PATH-02", text, fix=f"name the release to use: {flags}")


def _impossible(book: RuleBook, movers: tuple[Mover, ...], core: frozenset[str]) -> RuleRefused:
    wanted = ", ".join(f"{m.name} {m.at.version} -> {m.options[-1]}" for m in movers if m.options)
    rows = sorted((row for row in book.rows if row.id in core), key=lambda row: row.id)
    said = "".join(
        f"\n  {row.id}: {statement(row)} [{row.source}, read {row.date}, {row.confidence}]" for row in rows
    )
    stay = [m for m in movers if not m.options and any(row.subject == m.subject.kind for row in rows)]
    wanted += "".join(f", while {m.name} stays at {m.at.version}" for m in stay)
    number = "this rule leaves" if len(rows) == 1 else f"these {len(rows)} rules together leave"
    fix = "move what holds it back as well, or choose a nearer version"
    return refuse("PLAN-PATH-01", f"no order of hops leads to {wanted}: {number} no way:{said}\n ", fix=fix)
