"""Both sides of each boundary of a row, worked out by the evaluator itself and never written by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import itemgetter
from typing import assert_never

from rollout.rules.book import RuleBook
from rollout.rules.evaluate import (
    SOON,
    RuleVerdict,
    Severity,
    artifact_verdicts,
    downgrade_verdicts,
    drain_levers,
    jump_verdicts,
)
from rollout.rules.release import distance, place, unlisted
from rollout.rules.rows import (
    AnyRow,
    ArtifactRow,
    BehaviourRow,
    DowngradeRow,
    DrainRow,
    JumpRow,
    OrderRow,
    PairRow,
    Partner,
    SkewRow,
    SupportRow,
)
from rollout.rules.skew import row_verdict
from rollout.rules.support import ends, kubernetes_verdict, lines, statements, support_verdicts
from rollout.rules.version import Version, minor_pair, parse


@dataclass(frozen=True, slots=True)
class Example:
    """``verdict`` is holds, warns or refuses."""

    verdict: str
    text: str


def examples(book: RuleBook, row: AnyRow) -> tuple[Example, ...]:
    """Next to each boundary, one that holds and one that does not; nothing for rows that only tell."""
    match row:
        case SkewRow():
            return tuple(_skews(book, row))
        case JumpRow():
            return _edges(_jumps(book, row))
        case DowngradeRow():
            return tuple(_downgrades(book, row))
        case SupportRow():
            return tuple(_supports(book, row))
        case PairRow():
            return tuple(_pairs(book, row))
        case DrainRow():
            return tuple(_drains(book, row))
        case ArtifactRow():
            return tuple(_artifacts(book, row))
        case OrderRow() | BehaviourRow():
            return ()
        case _:
            assert_never(row)


def _shown(verdict: RuleVerdict) -> Example:
    """Without what each source says: the row's conflict is shown apart."""
    word = "holds" if verdict.holds else "warns" if verdict.severity is Severity.WARN else "refuses"
    return Example(word, verdict.arithmetic.partition(" [sources differ")[0])


Case = tuple[int, RuleVerdict]
"""A distance in minors and what the rule says of it."""


def _edges(cases: Sequence[Case]) -> tuple[Example, ...]:
    """The furthest that holds and the nearest beyond it, on each side of zero; of several, the first given."""
    picked: list[RuleVerdict] = []
    for side in (1, -1):
        mine = [
            (abs(apart), verdict) for apart, verdict in cases if apart * side > 0 or (side, apart) == (1, 0)
        ]
        holding = [case for case in mine if case[1].holds]
        beyond = [case for case in mine if not case[1].holds]
        picked += [max(holding, key=itemgetter(0))[1]] if holding else []
        picked += [min(beyond, key=itemgetter(0))[1]] if beyond else []
    return tuple(dict.fromkeys(map(_shown, picked)))


def _skews(book: RuleBook, row: SkewRow) -> Iterator[Example]:
    follower = row.followers[-1]
    for rest, when in ((True, " (at rest)"), (False, "")) if row.transient_ok else ((False, ""),):
        found = (
            _by_table(book, row, rest) if row.table else _edges(skew_cases(book, row, follower, at_rest=rest))
        )
        yield from (Example(example.verdict, example.text + when) for example in found)
    if row.narrower is not None:
        low = skew_cases(book, row, row.followers[0], below=row.narrower.before)
        yield from _edges([case for case in low if case[0] >= 0])


def _by_table(book: RuleBook, row: SkewRow, at_rest: bool) -> tuple[Example, ...]:
    pairs = [p for p in book.pairs if (p.subject, p.leader) == (row.subject, row.leader)]
    return tuple(_lines(book, [p for p in pairs if p.follower in row.followers][-1], at_rest))


def skew_cases(
    book: RuleBook, row: SkewRow, follower: str, *, at_rest: bool = False, below: str = ""
) -> tuple[Case, ...]:
    """Every pair of known lines, newest leader first; ``below`` only followers of older lines than that."""
    known = _component_lines(book, row)
    followers = [line for line in known if not below or minor_pair(line) < minor_pair(below)]
    pairs = [(f"{leader}.0", f"{line}.0") for leader in reversed(known) for line in reversed(followers)]
    return tuple(
        (_distance(book, row, low, high), _asked(book, row, follower, high, low, at_rest))
        for high, low in pairs
    )


def _component_lines(book: RuleBook, row: SkewRow) -> tuple[str, ...]:
    if not row.own_numbers:
        return lines(book, row.subject)
    found = {p.line for pair in book.pairs if pair.follower in row.followers for p in pair.partners}
    return tuple(sorted(found, key=minor_pair))


def _asked(book: RuleBook, row: SkewRow, follower: str, high: str, low: str, at_rest: bool) -> RuleVerdict:
    followers = [high, low] if row.leader == follower and row.max_behind is not None else [low]
    return row_verdict(book, row, follower, [high], followers, at_rest)


def _distance(book: RuleBook, row: SkewRow, low: str, high: str) -> int:
    if row.own_numbers:
        return distance(unlisted(row.subject, low), unlisted(row.subject, high))
    return distance(place(book, row.subject, low), place(book, row.subject, high))


def _jumps(book: RuleBook, row: JumpRow) -> tuple[Case, ...]:
    texts = [f"{line}.0" for line in reversed(lines(book, row.subject))]
    for leap in row.exceptions:
        suffix = f"+{leap.edition}" if leap.edition else ""
        texts += [f"{leap.since}{suffix}", f"{leap.to_line}.0{suffix}"]
    return tuple(case for before in texts for after in texts for case in _jump_case(book, row, before, after))


def _jump_case(book: RuleBook, row: JumpRow, before: str, after: str) -> Iterator[Case]:
    step = distance(place(book, row.subject, before), place(book, row.subject, after))
    for verdict in jump_verdicts(book, row.subject, row.method, before, after):
        if verdict.rule == row.id and verdict.severity is Severity.REFUSE:
            yield step, verdict


def _downgrades(book: RuleBook, row: DowngradeRow) -> Iterator[Example]:
    line = lines(book, row.subject)[-1]
    for running, after in ((f"{line}.1", f"{line}.1"), (f"{line}.1", f"{line}.0")):
        for verdict in downgrade_verdicts(book, row.subject, running, after):
            if verdict.rule == row.id:
                yield _shown(verdict)


def _supports(book: RuleBook, row: SupportRow) -> Iterator[Example]:
    name = f"{row.subject} {row.line}"
    ends_at = {end for said in statements(row) for end in (said.low, said.high) if end}
    minors = sorted({(major, minor + by) for major, minor in map(minor_pair, ends_at) for by in (-1, 0, 1)})
    shown = [_shown(kubernetes_verdict(row, name, f"{major}.{minor}")) for major, minor in minors]
    yield from _changes(shown)
    eol = ends(row)
    for day in (eol, eol + timedelta(days=1)) if eol is not None else ():
        for verdict in support_verdicts(book, row.subject, f"{row.line}.0", None, today=day):
            yield _shown(verdict)


def _changes(shown: Sequence[Example]) -> Iterator[Example]:
    """Those next to one of another verdict: both sides of each boundary."""
    for before, example, after in zip((None, *shown), shown, (*shown[1:], None), strict=False):
        if any(other is not None and other.verdict != example.verdict for other in (before, after)):
            yield example


def _pairs(book: RuleBook, row: PairRow) -> Iterator[Example]:
    yield from _lines(book, row, at_rest=True)
    for partner in row.partners:
        yield from _changes(list(_chart(book, row, partner)))


def _lines(book: RuleBook, row: PairRow, at_rest: bool) -> Iterator[Example]:
    rules = [r for r in book.skews if r.table and (r.subject, r.leader) == (row.subject, row.leader)]
    rule = next(r for r in rules if row.follower in r.followers)
    same = [
        p for p in book.pairs if (p.subject, p.leader, p.follower) == (row.subject, row.leader, row.follower)
    ]
    known = sorted({partner.line for pair in same for partner in pair.partners}, key=minor_pair)
    asked = [
        row_verdict(book, rule, row.follower, [f"{row.line}.0"], [f"{line}.0"], at_rest) for line in known
    ]
    yield from _changes([_shown(verdict) for verdict in asked])


def _chart(book: RuleBook, row: PairRow, partner: Partner) -> Iterator[Example]:
    if partner.kubernetes is None:
        return
    for major, minor in sorted(
        {(M, m + by) for M, m in map(minor_pair, partner.kubernetes) for by in (-1, 0, 1)}
    ):
        chart, cluster = f"{partner.line}.0", f"{major}.{minor}"
        for verdict in support_verdicts(book, row.subject, f"{row.line}.0", cluster, chart=chart):
            if verdict.rule == row.id:
                yield _shown(verdict)


def _drains(book: RuleBook, row: DrainRow) -> Iterator[Example]:
    for version in _around(row.since) + (_around(row.before) if row.before else ()):
        has = row in drain_levers(book, row.subject, version)
        text = f"{row.subject} {version}: {row.lever} {'withdraws' if has else 'does not withdraw'} a node"
        yield Example("holds" if has else "refuses", text)


def _around(text: str) -> tuple[str, str]:
    version = parse(text)
    if version.patch:
        return str(Version(version.major, version.minor, version.patch - 1)), text
    return f"{version.major}.{max(version.minor - 1, 0)}.99", text


def _artifacts(book: RuleBook, row: ArtifactRow) -> Iterator[Example]:
    for day in (row.retires - SOON - timedelta(days=1), row.retires - SOON):
        for verdict in artifact_verdicts(book, row.subject, row.location, day):
            if verdict.rule == row.id:
                yield _shown(verdict)
