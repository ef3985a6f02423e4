"""Whether there is a way at all: a search over release lines only, breadth first, unlike the planner's own."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.planner.refuse import RuleRefused
from tests.properties import raw
from tests.properties.fleets import Case
from tests.properties.whatruns import (
    goals,
    line_index,
    method_of,
    placed,
    running,
)


def no_way(case: Case, _: RuleRefused) -> bool:
    """Looking over release lines only, breadth first, finds no order of hops either; or what runs is so mixed that
    lines do not tell the whole story."""
    movers = [s for s, _ in goals(case)]
    mixed = any(len({raw.place(case.kind(s), v)[0] for v in placed(case, s)}) > 1 for s in movers)
    return mixed or not _reachable(case, movers)


def _reachable(case: Case, movers: list[str]) -> bool:
    start = tuple(line_index(case, s, running(case, s) or "") for s in movers)
    goal = tuple(line_index(case, s, v) for s, v in goals(case))
    seen, queue = {start}, [start]
    while queue:
        position = queue.pop(0)
        if position == goal:
            return True
        for then in _hops(case, movers, position, goal):
            if then not in seen:
                seen.add(then)
                queue.append(then)
    return False


def _hops(
    case: Case, movers: list[str], position: tuple[int, ...], goal: tuple[int, ...]
) -> Iterator[tuple[int, ...]]:
    for index, subject in enumerate(movers):
        way = 1 if goal[index] > position[index] else -1
        for line in range(position[index] + way, goal[index] + way, way):
            then = (*position[:index], line, *position[index + 1 :])
            if _may_jump(case, subject, position[index], line) and _supported(case, movers, position, then):
                yield then


def _may_jump(case: Case, subject: str, before: int, after: int) -> bool:
    kind, method = case.kind(subject), method_of(case, subject)
    known = [f"{row['line']}.0" for row in raw.lines(kind)]
    step = raw.place(kind, known[after])[0] - raw.place(kind, known[before])[0]
    bounds = [r for r in raw.rows("jump") if r["subject"] == kind and r["method"] in (method, "any")]
    return all(-(row.get("down") or 0) <= step <= row["up"] for row in bounds)


def _supported(case: Case, movers: list[str], *positions: tuple[int, ...]) -> bool:
    """Each mesh's line before and after the hop, on Kubernetes before and after it; the meshes that stay, too."""
    kubernetes = {case.observed.kubernetes} if case.observed.kubernetes else set()
    if "kubernetes" in movers:
        at = movers.index("kubernetes")
        kubernetes = {raw.lines("kubernetes")[p[at]]["line"] for p in positions}
    rows = [
        raw.lines(case.kind(s))[p[i]] for i, s in enumerate(movers) for p in positions if s != "kubernetes"
    ]
    for subject in case.roles.keys() - set(movers) - {"kubernetes"}:
        kind = case.kind(subject)
        if "kubernetes" in movers:
            found = {raw.line_of(kind, version) for version in placed(case, subject)}
            rows += [row for row in raw.lines(kind) if row["line"] in found]
    return all(raw.allows(row, k) for row in rows for k in kubernetes)


def unnamed_release(case: Case, _: RuleRefused) -> bool:
    """Some line between what runs and what is asked for has no release that the data knows."""
    return any(
        "latest" not in row
        for s, v in goals(case)
        for low, high in [sorted((line_index(case, s, running(case, s) or ""), line_index(case, s, v)))]
        for row in raw.lines(case.kind(s))[low:high]
    )
