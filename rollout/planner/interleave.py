"""Hops of several subjects in the order that walks over the nodes least often.

Every walk takes each gateway node out once, and each time that happens every VIP's next-hops change twice, which
costs kept-alive connections at a ToR without resilient hashing. The path says which hops are needed; in which order
the subjects take turns is free as long as every mix of versions is legal, and hops that are made together share a walk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import prod

from rollout.model.plan import Target
from rollout.planner.crossing import Crossings, Position
from rollout.planner.fleet_start import start
from rollout.planner.hops import Groups, alone, together, walks, wish_of
from rollout.planner.leg import Leg
from rollout.planner.movers import At, movers_of, standing_of
from rollout.planner.request import Request

_AT_MOST = 50_000
"""Questions; beyond that (no site has so many subjects far behind at once) the path's own order is kept."""

_Done = tuple[int, ...]
_Choice = tuple[int, int, tuple[tuple[int, ...], ...]]


def fewest_walks(request: Request, targets: Collection[Target], legs: Sequence[Leg]) -> Groups:
    """The legs in groups, each of one walk; ties go to fewer groups and then to the path's order."""
    lanes = _lanes(legs)
    if len(lanes) < 2 or prod(len(lane) + 1 for lane in lanes) * 2 ** len(lanes) > _AT_MOST:
        return alone(legs)
    fleet = start(request.site, request.observed, request.roles)
    crossings = Crossings(
        request.book, movers_of(request.book, standing_of(fleet), *wish_of(request, targets))
    )
    found = _Search(request, legs, lanes, crossings).best()
    return tuple(tuple(legs[i] for i in group) for group in found) if found else alone(legs)


def _lanes(legs: Sequence[Leg]) -> tuple[tuple[int, ...], ...]:
    """Indexes of each mover's own hops, which keep their order."""
    found: dict[tuple[str, str], list[int]] = {}
    for index, leg in enumerate(legs):
        found.setdefault((leg.subject, leg.hop.component), []).append(index)
    return tuple(tuple(lane) for lane in found.values())


@dataclass(slots=True)
class _Search:
    request: Request
    legs: Sequence[Leg]
    lanes: tuple[tuple[int, ...], ...]
    crossings: Crossings

    def best(self) -> tuple[tuple[int, ...], ...] | None:
        end = tuple(len(lane) for lane in self.lanes)

        @cache
        def rest(done: _Done) -> _Choice | None:
            """From here to the end: walks, groups, and the groups themselves; None where nothing legal goes on."""
            if done == end:
                return 0, 0, ()
            found = [
                (walks([self.legs[i] for i in group]) + then[0], then[1] + 1, (group, *then[2]))
                for group, after in self._next(done)
                if (then := rest(after)) is not None
            ]
            return min(found, default=None)

        choice = rest(tuple(0 for _ in self.lanes))
        return choice[2] if choice is not None else None

    def _next(self, done: _Done) -> Iterator[tuple[tuple[int, ...], _Done]]:
        open_lanes = [i for i, lane in enumerate(self.lanes) if done[i] < len(lane)]
        for size in range(1, len(open_lanes) + 1):
            for chosen in combinations(open_lanes, size):
                group = tuple(sorted(self.lanes[i][done[i]] for i in chosen))
                if self._legal(done, group):
                    yield group, tuple(count + (i in chosen) for i, count in enumerate(done))

    def _legal(self, done: _Done, group: tuple[int, ...]) -> bool:
        """Each hop where it is made, and all of their versions side by side while they share a walk."""
        position = self._position(done)
        for index in group:
            leg, place = self.legs[index], self._place(self.legs[index])
            if self.crossings.broken(position, place, leg.hop.after):
                return False
            position = (*position[:place], At(leg.hop.after), *position[place + 1 :])
        return len(group) == 1 or together(self.request, [self.legs[i] for i in group])

    def _position(self, done: _Done) -> Position:
        position = [mover.at for mover in self.crossings.movers]
        for lane, count in zip(self.lanes, done, strict=True):
            if count:
                last = self.legs[lane[count - 1]]
                position[self._place(last)] = At(last.hop.after)
        return tuple(position)

    def _place(self, leg: Leg) -> int:
        wanted = leg.subject, leg.hop.component
        return next(i for i, m in enumerate(self.crossings.movers) if (m.subject.name, m.component) == wanted)
