"""Skew: which versions of a subject's components may run beside each other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache

from rollout.rules.book import RuleBook
from rollout.rules.release import (
    OUT_OF_REACH,
    Release,
    distance,
    leaps,
    leaps_from,
    line_indexes,
    place,
    unlisted,
)
from rollout.rules.rows import PairRow, SkewRow
from rollout.rules.verdict import RuleVerdict
from rollout.rules.version import minor_pair, parse


def skew_verdicts(
    book: RuleBook,
    kind: str,
    versions: Mapping[str, Collection[str]],
    *,
    at_rest: bool = False,
    revisions: bool = False,
) -> tuple[RuleVerdict, ...]:
    """One verdict per rule and follower whose components both run. ``versions``: component -> versions that run now.

    ``at_rest`` False is while things roll: rules that speak of the resting state allow one minor more.
    ``revisions`` True: each follower answers to one leader of its own (Istio revisions), so one that fits is enough.
    Raises VersionInvalid or UnknownLine for a version that cannot be placed.
    """
    running = tuple(sorted((name, tuple(sorted(set(found)))) for name, found in versions.items() if found))
    return _verdicts(book, kind, running, at_rest, revisions)


@lru_cache(maxsize=4096)
def _verdicts(
    book: RuleBook,
    kind: str,
    running: tuple[tuple[str, tuple[str, ...]], ...],
    at_rest: bool,
    revisions: bool,
) -> tuple[RuleVerdict, ...]:
    return tuple(_walk(book, kind, dict(running), at_rest, revisions))


def _walk(
    book: RuleBook, kind: str, running: Mapping[str, Sequence[str]], at_rest: bool, revisions: bool
) -> Iterator[RuleVerdict]:
    for rule in book.skews:
        if rule.subject != kind or rule.leader not in running:
            continue
        for follower in rule.followers:
            if follower in running:
                leaders, followers = running[rule.leader], running[follower]
                yield row_verdict(book, rule, follower, leaders, followers, at_rest, revisions)


def row_verdict(
    book: RuleBook,
    rule: SkewRow,
    follower: str,
    leaders: Sequence[str],
    followers: Sequence[str],
    at_rest: bool = False,
    revisions: bool = False,
) -> RuleVerdict:
    """One rule asked about one of its followers; with the leader as its own follower ``leaders`` is not looked at."""
    if rule.table:
        return _by_table(book, rule, follower, leaders, followers, at_rest)
    if rule.leader == follower and rule.max_behind is not None:
        return _by_spread(rule, follower, _placed(book, rule, followers), at_rest)
    above, below = _placed(book, rule, leaders), _placed(book, rule, followers)
    return _by_distance(rule, follower, above, below, at_rest, revisions)


def _placed(book: RuleBook, rule: SkewRow, texts: Sequence[str]) -> list[Release]:
    kind = rule.subject
    return sorted(unlisted(kind, text) if rule.own_numbers else place(book, kind, text) for text in texts)


def _by_distance(
    rule: SkewRow, name: str, leaders: list[Release], followers: list[Release], at_rest: bool, revisions: bool
) -> RuleVerdict:
    slack = 1 if rule.transient_ok and not at_rest else 0
    holds = all(
        any(_within(rule, [leader], follower, slack) for leader in leaders)
        if revisions
        else _within(rule, leaders, follower, slack)
        for follower in followers
    )
    behind = [d for f in followers for d in _behind(rule, leaders, f)]
    allowed = _allowed(rule, followers, slack)
    text = (
        f"{name} {_list(followers)} under {rule.leader} {_list(leaders)}: "
        f"{_span(min(behind), max(behind))}, allowed {allowed}"
    )
    if revisions and len(leaders) > 1:
        text += ", each under a revision of its own"
    return RuleVerdict(rule.id, holds, text, rule.fix, rule.provenance, rule.severity)


def _by_spread(rule: SkewRow, name: str, running: list[Release], at_rest: bool) -> RuleVerdict:
    """Instances of one component among each other: how far the newest is from the oldest."""
    allowed = (rule.max_behind or 0) + (1 if rule.transient_ok and not at_rest else 0)
    apart = distance(running[0], running[-1])
    leap = leaps(rule.exceptions, running[0], running[-1])
    text = f"{name} {_list(running)}: {_minors(apart)} apart, allowed {allowed}"
    text += ", and upstream's exception covers it" if leap else ""
    return RuleVerdict(rule.id, apart <= allowed or leap, text, rule.fix, rule.provenance, rule.severity)


def _behind(rule: SkewRow, leaders: list[Release], follower: Release) -> tuple[int, int]:
    """How far behind, measured as the rule says: from the newest leader for trailing, from the oldest for leading."""
    trail = leaders[-1] if rule.behind_ref == "newest" else leaders[0]
    lead = leaders[0] if rule.lead_ref == "oldest" else leaders[-1]
    return distance(follower, lead), distance(follower, trail)


def _within(rule: SkewRow, leaders: list[Release], follower: Release, slack: int) -> bool:
    ahead, behind = _behind(rule, leaders, follower)
    may_trail, may_lead = _limits(rule, follower)
    return (may_trail is None or behind <= may_trail + slack) and (
        may_lead is None or -ahead <= may_lead + slack
    )


def _limits(rule: SkewRow, follower: Release) -> tuple[int | None, int | None]:
    """How far this follower may trail and lead."""
    narrow = rule.narrower
    if narrow is not None and minor_pair(follower.line) < minor_pair(narrow.before):
        return narrow.max_behind, rule.max_ahead if narrow.max_ahead is None else narrow.max_ahead
    return rule.max_behind, rule.max_ahead


def _allowed(rule: SkewRow, followers: list[Release], slack: int) -> str:
    """The narrowest bounds among these followers, as a span of minors behind."""
    limits = [_limits(rule, follower) for follower in followers]
    trail, lead = _least([t for t, _ in limits]), _least([ahead for _, ahead in limits])
    if trail is None and lead is None:
        return "any distance"
    low, high = "any" if lead is None else -(lead + slack), "any" if trail is None else trail + slack
    return f"{low}..{high}" + (" while it rolls" if slack else "")


def _least(limits: list[int | None]) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _list(releases: list[Release]) -> str:
    return ", ".join(str(release) for release in releases)


def _span(low: int, high: int) -> str:
    if max(abs(low), abs(high)) >= OUT_OF_REACH:
        return "another major"
    if low != high:
        return f"{low}..{high} minors behind"
    return f"{_minors(low)} {'ahead' if low < 0 else 'behind'}"


def _minors(count: int) -> str:
    if abs(count) >= OUT_OF_REACH:
        return "another major"
    return f"{abs(count)} minor{'' if abs(count) == 1 else 's'}"


def _by_table(
    book: RuleBook, rule: SkewRow, name: str, leaders: Sequence[str], followers: Sequence[str], at_rest: bool
) -> RuleVerdict:
    placed = _placed(book, rule, leaders)
    near = rule.transient_ok and not at_rest
    lines = [leader.line for leader in placed]
    tables = [_partners(book, rule, name, leader, near) for leader in placed]
    seen = sorted({parse(text).line for text in followers}, key=minor_pair)
    holds = all(line in table for table in tables for line in seen)
    listed = "; ".join(
        _table_words(rule.leader, at, lines_) for at, lines_ in zip(lines, tables, strict=True)
    )
    running = f"{name} {', '.join(followers)} beside {rule.leader} {', '.join(leaders)}"
    return RuleVerdict(rule.id, holds, f"{running}: {listed}", rule.fix, rule.provenance, rule.severity)


def _table_words(leader: str, line: str, partners: tuple[str, ...]) -> str:
    return f"{leader} {line} goes with {', '.join(partners) or 'nothing that a row names'}"


def _partners(book: RuleBook, rule: SkewRow, name: str, leader: Release, near: bool) -> tuple[str, ...]:
    """Lines of the follower that the table gives; ``near`` adds those of the lines it may be on its way to."""
    indexes = line_indexes(book, rule.subject)
    at = {leader.line}
    if near:
        at |= {line for line, index in indexes.items() if abs(index - leader.index) <= 1}
        at |= {leap.to_line for leap in rule.exceptions if leaps_from(leap, leader)}
    rows = [row for row in _pairs(book, rule, name) if row.line in at]
    return tuple(dict.fromkeys(partner.line for row in rows for partner in row.partners))


def _pairs(book: RuleBook, rule: SkewRow, name: str) -> Iterator[PairRow]:
    for row in book.pairs:
        if (row.subject, row.leader, row.follower) == (rule.subject, rule.leader, name):
            yield row
