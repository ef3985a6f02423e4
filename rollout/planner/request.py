"""What is asked of the planner, as one value: the site as written, the world as seen, the rules, the wish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rollout.model.observed import Observed
from rollout.model.plan import Options
from rollout.model.role import SubjectRole
from rollout.model.site import Node, Site
from rollout.rules.book import RuleBook, book


@dataclass(frozen=True, slots=True)
class Request:
    """``targets`` are (subject, version) in the order asked for; ``via`` are versions a path must pass through.

    ``one_jump`` refuses a move of several hops instead of planning them. ``now`` only judges how old the rules
    are, so that planning stays pure. ``chosen`` None means every node; it comes from ``options.limit``.
    """

    site: Site
    observed: Observed
    roles: Mapping[str, SubjectRole]
    book: RuleBook
    targets: tuple[tuple[str, str], ...] = ()
    options: Options = field(default_factory=Options)
    now: datetime = datetime.min.replace(tzinfo=UTC)
    via: tuple[tuple[str, str], ...] = ()
    one_jump: bool = False

    def node_order(self) -> tuple[Node, ...]:
        return self.site.nodes


def asked(
    site: Site,
    observed: Observed,
    roles: Mapping[str, SubjectRole],
    *targets: tuple[str, str],
    options: Options | None = None,
) -> Request:
    """A request with our own rules and no wishes but its targets: what tests and the demo need."""
    return Request(site, observed, roles, book(), tuple(targets), options or Options())
