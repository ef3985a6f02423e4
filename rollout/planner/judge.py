"""What the rules say about one configuration of versions, and about taking one step of it back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import product

from rollout.model.proof import ProvenSubject
from rollout.planner.components import KUBERNETES, LEADERS
from rollout.rules.book import RuleBook
from rollout.rules.evaluate import RuleVerdict, jump_verdicts, skew_verdicts, support_verdicts

Versions = Mapping[str, tuple[str, ...]]
"""Component to the distinct versions of it that run, of one subject."""

Offence = tuple[str, str]
"""A rule and the arithmetic of the one pair of versions that breaks it."""


def verdicts(
    book: RuleBook, subject: ProvenSubject, versions: Versions, apiservers: tuple[str, ...]
) -> tuple[RuleVerdict, ...]:
    """Skew within the subject, and support of every version of its leaders on every API server's version.

    Raises ValueError for a version that cannot be placed.
    """
    skew = skew_verdicts(book, subject.kind, versions, revisions=_by_revision(subject))
    return (*skew, *_support(book, subject, versions, apiservers))


def _by_revision(subject: ProvenSubject) -> bool:
    """A proxy talks to the control plane that injected it, so that one alone has to fit."""
    return subject.method == "revision"


def _support(
    book: RuleBook, subject: ProvenSubject, versions: Versions, apiservers: tuple[str, ...]
) -> Iterator[RuleVerdict]:
    if subject.kind == KUBERNETES:
        return
    leaders = {version for leader in LEADERS.get(subject.kind, ()) for version in versions.get(leader, ())}
    for version, kubernetes in product(sorted(leaders), apiservers):
        yield from support_verdicts(book, subject.kind, version, kubernetes)


def offences(
    book: RuleBook, subject: ProvenSubject, versions: Versions, apiservers: tuple[str, ...]
) -> frozenset[Offence]:
    """Every broken rule, taken apart into the pairs that break it: what a later state may share with the start."""
    apart = (
        skew_verdicts(book, subject.kind, pair, revisions=_by_revision(subject))
        for pair in _pairs(versions, LEADERS.get(subject.kind, ()) if _by_revision(subject) else ())
    )
    skew = [verdict for found in apart for verdict in found if verdict.refuses]
    pairwise = {verdict.rule for verdict in skew}
    together = (v for v in verdicts(book, subject, versions, apiservers) if v.rule not in pairwise)
    return frozenset((verdict.rule, verdict.arithmetic) for verdict in (*skew, *together) if verdict.refuses)


def _pairs(versions: Versions, leaders: Collection[str]) -> Iterator[Versions]:
    """Two versions at a time. ``leaders`` stay together: by revision, one of them that fits is enough."""
    for (one, mine), (other, theirs) in product(versions.items(), repeat=2):
        for version in mine if one not in leaders or one == other else ():
            if one == other:
                yield from ({one: tuple(sorted({version, beside}))} for beside in mine)
            elif other in leaders:
                yield {one: (version,), other: theirs}
            else:
                yield from ({one: (version,), other: (beside,)} for beside in theirs)


def jump_of(book: RuleBook, subject: ProvenSubject, before: str, after: str) -> tuple[RuleVerdict, ...]:
    """Whether upstream supports this hop, up or down. Raises ValueError as above."""
    return jump_verdicts(book, subject.kind, subject.method, before, after)
