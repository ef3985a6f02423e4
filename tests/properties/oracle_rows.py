"""Rules that are rows of the data: does one really fail here? Worked out again from the TOML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

from tests.properties import raw
from tests.properties.fleets import Case
from tests.properties.whatruns import (
    below,
    component_versions,
    everything,
    goals,
    method_of,
    running,
)


def jump(case: Case, row: raw.Row) -> bool:
    """Some target is further away than the row allows, from what the subject's release says."""
    return any(
        case.kind(subject) == row["subject"]
        and row["method"] in (method_of(case, subject), "any")
        and _too_far(row, row["subject"], now, version)
        for subject, version in goals(case)
        if (now := running(case, subject))
    )


def _too_far(row: raw.Row, kind: str, before: str, after: str) -> bool:
    step = raw.minors(kind, before, after)
    down = row.get("down")
    return step > row["up"] or (step < 0 and (down is None or -step > down))


def downgrade(case: Case, row: raw.Row) -> bool:
    return any(below(case, s, v) for s, v in goals(case) if case.kind(s) == row["subject"])


def skew(case: Case, row: raw.Row) -> bool:
    """Some leader's version and some follower's, of those that run or are asked for, are too far apart."""
    for subject, role in case.roles.items():
        if role.kind != row["subject"] or not (wanted := [v for s, v in goals(case) if s == subject]):
            continue
        seen = component_versions(case, subject)
        now = running(case, subject)
        own = [*wanted, *([now] if now else [])]
        leaders = {*seen.get(row["leader"], ()), *(_numbered(case, subject, row["leader"], v) for v in own)}
        for follower in row["followers"]:
            followers = {*seen.get(follower, ()), *(_numbered(case, subject, follower, v) for v in own)}
            if any(_apart(row, role.kind, a, b) for a, b in product(leaders, followers)):
                return True
    return False


def _numbered(case: Case, subject: str, component: str, version: str) -> str:
    return case.roles[subject].component_version(component, version.removeprefix("v"))


def _apart(row: raw.Row, kind: str, leader: str, follower: str) -> bool:
    if row.get("table"):
        return not _in_table(row, kind, leader, follower)
    if not (raw.readable(kind, leader) and raw.readable(kind, follower)):
        return False
    behind = raw.minors(kind, follower, leader)
    far, ahead = row.get("max_behind"), row.get("max_ahead")
    return (far is not None and behind > far) or (ahead is not None and -behind > ahead)


def _in_table(row: raw.Row, kind: str, leader: str, follower: str) -> bool:
    """Whether the pair rows list the follower's line with the leader's."""
    line = ".".join(follower.split(".")[:2])
    listed = [
        partner["line"]
        for pair in raw.rows("pair")
        if (pair["subject"], pair["leader"], pair["line"]) == (kind, row["leader"], raw.line_of(kind, leader))
        and pair["follower"] in row["followers"]
        for partner in pair["partners"]
    ]
    return line in listed


def support(case: Case, row: raw.Row) -> bool:
    """A line that runs or is asked for does not support a Kubernetes that runs or is asked for."""
    kubernetes = {v for s, v in goals(case) if case.kind(s) == "kubernetes" and raw.readable("kubernetes", v)}
    kubernetes |= {case.observed.kubernetes} if case.observed.kubernetes else set()
    versions = {(s, v) for s, v in goals(case)} | {(s, v) for s in case.roles for v in everything(case, s)}
    lines = {
        raw.line_of(kind, v)
        for s, v in versions
        if raw.family(kind := case.kind(s)) == row["subject"] and raw.readable(kind, v)
    }
    return row["line"] in lines and any(not raw.allows(row, k) for k in kubernetes)


BY_TABLE: Mapping[str, Callable[[Case, raw.Row], bool]] = {
    "jump": jump,
    "no-downgrade": downgrade,
    "skew": skew,
    "support": support,
}
