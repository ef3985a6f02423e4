"""What the rules say about one move or one state: a verdict with its arithmetic, never an exception."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.rules.book import DrainRow, JumpRule, Provenance, RuleBook, SkewRule, SupportRow
from rollout.rules.version import Version, minor_pair, parse


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """``arithmetic`` shows the numbers that were compared, so that a refusal can be checked by hand."""

    rule: str
    holds: bool
    arithmetic: str
    fix: str
    provenance: Provenance


def distance(low: Version, high: Version) -> int:
    """Minors from ``low`` up to ``high``. Across majors there is no arithmetic, so it counts as out of reach."""
    if low.major != high.major:
        return 1000 if high.major > low.major else -1000
    return high.minor - low.minor


def skews(book: RuleBook, subject: str, leader: Version, follower: Version) -> tuple[RuleVerdict, ...]:
    return tuple(_skew(rule, leader, follower) for rule in book.skews if rule.subject == subject)


def _skew(rule: SkewRule, leader: Version, follower: Version) -> RuleVerdict:
    behind = distance(follower, leader)
    holds = -rule.max_ahead <= behind <= rule.max_behind
    arithmetic = (
        f"{rule.follower} {follower} under {rule.leader} {leader}: {_minors(behind)} behind, "
        f"allowed {-rule.max_ahead}..{rule.max_behind}"
    )
    return RuleVerdict(rule.id, holds, arithmetic, rule.fix, rule.provenance)


def jumps(book: RuleBook, subject: str, before: Version, after: Version) -> tuple[RuleVerdict, ...]:
    return tuple(_jump(rule, before, after) for rule in book.jumps if rule.subject == subject)


def _jump(rule: JumpRule, before: Version, after: Version) -> RuleVerdict:
    step = distance(before, after)
    arithmetic = f"{before} -> {after} is {_minors(step)}, allowed {-rule.down}..+{rule.up} in one plan"
    return RuleVerdict(rule.id, -rule.down <= step <= rule.up, arithmetic, rule.fix, rule.provenance)


def _minors(count: int) -> str:
    return "another major" if abs(count) >= 1000 else f"{count} minor{'' if abs(count) == 1 else 's'}"


def downgrades(book: RuleBook, subject: str, running: Version, after: Version) -> tuple[RuleVerdict, ...]:
    """``running`` is the highest version seen anywhere, control plane or data plane."""
    arithmetic = f"{after} against {running}, which runs"
    return tuple(
        RuleVerdict(rule.id, after >= running, arithmetic, rule.fix, rule.provenance)
        for rule in book.downgrades
        if rule.subject == subject
    )


def support_row(book: RuleBook, subject: str, version: Version) -> SupportRow | None:
    return next((r for r in book.support if (r.subject, r.minor) == (subject, version.line)), None)


def known_lines(book: RuleBook, subject: str) -> tuple[str, ...]:
    return tuple(row.minor for row in book.support if row.subject == subject)


def supports(row: SupportRow, version: Version, kubernetes: str) -> RuleVerdict:
    """Whether this release line is supported on that Kubernetes; holds where upstream publishes no range."""
    low, high = row.kubernetes or (kubernetes, kubernetes)
    holds = minor_pair(low) <= minor_pair(kubernetes) <= minor_pair(high)
    arithmetic = f"{row.subject} {version} supports Kubernetes {low}..{high}, the cluster runs {kubernetes}"
    fix = "choose a release whose range has the cluster's Kubernetes, or move Kubernetes first"
    return RuleVerdict(row.id, holds, arithmetic, fix, row.provenance)


def drain_levers(book: RuleBook, subject: str, version: Version) -> tuple[DrainRow, ...]:
    """The ways this version has to make one node stop announcing."""
    return tuple(row for row in book.drains if row.subject == subject and _covers(row, version))


def _covers(row: DrainRow, version: Version) -> bool:
    return parse(row.since) <= version and (row.before is None or version < parse(row.before))
