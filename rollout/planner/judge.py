"""What the rules say about one configuration of versions, and about taking one step of it back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rollout.model.proof import ProvenSubject
from rollout.planner.components import KUBERNETES, LEADERS
from rollout.rules.book import RuleBook
from rollout.rules.evaluate import RuleVerdict, jumps, skews, support_row, supports
from rollout.rules.version import parse

Versions = Mapping[str, tuple[str, ...]]
"""Component to the distinct versions of it that run, of one subject."""


def verdicts(
    book: RuleBook, subject: ProvenSubject, versions: Versions, apiservers: tuple[str, ...]
) -> tuple[RuleVerdict, ...]:
    """Skew within the subject, and support of every version of its leaders on every API server's version."""
    return (*_skews(book, subject, versions), *_support(book, subject, versions, apiservers))


def _skews(book: RuleBook, subject: ProvenSubject, versions: Versions) -> Iterator[RuleVerdict]:
    """By revision a proxy talks to the control plane that injected it, so each pair is asked by itself."""
    if subject.kind == "istio":
        for leader in versions.get("istiod", ()):
            for follower in versions.get("proxy", ()):
                yield from skews(book, subject.kind, parse(leader), parse(follower))


def _support(
    book: RuleBook, subject: ProvenSubject, versions: Versions, apiservers: tuple[str, ...]
) -> Iterator[RuleVerdict]:
    if subject.kind == KUBERNETES:
        return
    leaders = {version for leader in LEADERS.get(subject.kind, ()) for version in versions.get(leader, ())}
    for version in sorted(leaders):
        row = support_row(book, subject.kind, parse(version))
        for kubernetes in apiservers if row else ():
            assert row is not None
            yield supports(row, parse(version), kubernetes)


def undo_verdicts(book: RuleBook, subject: ProvenSubject, before: str, after: str) -> tuple[RuleVerdict, ...]:
    """Whether upstream supports the move from ``before`` down to ``after``."""
    return jumps(book, subject.kind, parse(before), parse(after))
