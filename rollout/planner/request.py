"""What is asked of the planner, as one value: the site as written, the world as seen, the rules, the wish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from rollout.model.observed import Observed
from rollout.model.plan import Options
from rollout.model.rekey import Signer
from rollout.model.role import SubjectRole
from rollout.model.site import Site
from rollout.rules.book import RuleBook, book


@dataclass(frozen=True, slots=True)
class Handed:
    """What a mesh is to be told about its trust in a bringup: as it was told before, or its first generation."""

    trusts: tuple[int, ...]
    signer: Signer
    after_charts: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """``targets`` are (subject, version) in the order asked for; ``via`` are versions a path must pass through.

    ``one_jump`` refuses a move of several hops instead of planning them. ``today`` judges how old the rules are
    and which lines have ended; None asks neither, so that a plan made twice is the same plan. ``trust`` is by
    mesh: those whose key store has a generation.
    """

    site: Site
    observed: Observed
    roles: Mapping[str, SubjectRole]
    book: RuleBook
    targets: tuple[tuple[str, str], ...] = ()
    options: Options = field(default_factory=Options)
    today: date | None = None
    via: tuple[tuple[str, str], ...] = ()
    one_jump: bool = False
    trust: Mapping[str, Handed] = field(default_factory=dict)


def asked(
    site: Site,
    observed: Observed,
    roles: Mapping[str, SubjectRole],
    *targets: tuple[str, str],
    options: Options | None = None,
) -> Request:
    """A request with our own rules and no wish but its targets: what tests and the demo need."""
    return Request(site, observed, roles, book(), tuple(targets), options or Options())
