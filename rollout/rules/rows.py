"""The kinds of row a rule file may hold: a closed set of frozen dataclasses, which check their own values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date as Day
from enum import StrEnum
from typing import Any, ClassVar, Literal

from rollout.rules.shape import (
    check_counts,
    check_line,
    check_origin,
    check_range,
    check_releases,
    check_span,
)

SUBJECTS = ("istio", "istio-ambient", "linkerd", "cilium", "consul", "metallb", "kubernetes")
FAMILY: Mapping[str, str] = {"istio-ambient": "istio"}
"""Ambient is a data plane of Istio's own releases: one list of lines, one support table for both."""

_FORBID: Mapping[str, Any] = {"extra": "forbid"}


class Severity(StrEnum):
    """``refuse``: upstream does not support it. ``warn``: upstream has not tested it, or ended its support."""

    REFUSE = "refuse"
    WARN = "warn"


Confidence = Literal["official", "secondary", "derived"]
Subject = Literal["istio", "istio-ambient", "linkerd", "cilium", "consul", "metallb", "kubernetes"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """``confidence``: official (read upstream), secondary (a dated quote) or derived (our inference).

    ``origin`` is the site's rule file that the row came from; empty for our own data.
    """

    source: str
    date: Day
    confidence: str
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What every row carries. ``conflict`` says in words what another source says instead."""

    __pydantic_config__: ClassVar[Any] = _FORBID

    id: str
    subject: Subject
    source: str
    date: Day
    confidence: Confidence
    conflict: str = ""
    note: str = ""
    origin: str = ""

    def __post_init__(self) -> None:
        check_origin(self.id, self.source)

    @property
    def provenance(self) -> Provenance:
        return Provenance(self.source, self.date, self.confidence, self.origin)


@dataclass(frozen=True, slots=True)
class Narrower:
    """A follower whose line is below ``before`` may trail by ``max_behind`` (and lead by ``max_ahead``) only."""

    __pydantic_config__: ClassVar[Any] = _FORBID

    before: str
    max_behind: int
    max_ahead: int | None = None

    def __post_init__(self) -> None:
        check_line(self.before)


@dataclass(frozen=True, slots=True)
class Leap:
    """A wider step that upstream allows from releases of one line at or above ``since``, to ``to_line``.

    ``edition`` is the build suffix that both ends must carry, such as ``ent``.
    """

    __pydantic_config__: ClassVar[Any] = _FORBID

    since: str
    to_line: str
    edition: str = ""

    def __post_init__(self) -> None:
        check_span(self.since, None)
        check_line(self.to_line)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkewRow(Row):
    """Each follower may trail its leader by ``max_behind`` minors and lead it by ``max_ahead``; None is no limit.

    With leaders at several versions the distance behind is measured from ``behind_ref`` and the one ahead from
    ``lead_ref``. ``table`` True: legal pairs are the pair rows, and no distance is computed. ``transient_ok``: the
    bounds hold at rest; while components roll, one minor more each way is expected. ``own_numbers``: these components
    are not numbered like the subject (Consul's chart). ``exceptions``: wider moves during which both ends run.
    """

    leader: str
    followers: tuple[str, ...]
    max_behind: int | None = None
    max_ahead: int | None = None
    behind_ref: Literal["newest", "oldest"] = "newest"
    lead_ref: Literal["newest", "oldest"] = "oldest"
    narrower: Narrower | None = None
    transient_ok: bool = False
    table: bool = False
    own_numbers: bool = False
    exceptions: tuple[Leap, ...] = ()
    severity: Severity = Severity.REFUSE
    fix: str

    def __post_init__(self) -> None:
        Row.__post_init__(self)
        check_counts(self.max_behind, self.max_ahead)


@dataclass(frozen=True, slots=True, kw_only=True)
class JumpRow(Row):
    """The largest step in minors that one hop may take; ``down`` None: upstream does not support going down."""

    method: Literal["in-place", "revision", "any"]
    up: int
    down: int | None = None
    exceptions: tuple[Leap, ...] = ()
    latest_patch_first: bool = False
    fix: str

    def __post_init__(self) -> None:
        Row.__post_init__(self)
        check_counts(self.up, self.down)


@dataclass(frozen=True, slots=True, kw_only=True)
class DowngradeRow(Row):
    """An upgrade plan never goes below what runs anywhere; going back is a rollback, in the other order."""

    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow(Row):
    """Upstream's order of components and other steps for one method."""

    method: Literal["in-place", "revision", "any"]
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """What another source says about the same line. Applied too (the stricter wins), with its own severity."""

    __pydantic_config__: ClassVar[Any] = _FORBID

    source: str
    date: Day
    confidence: Confidence
    kubernetes: tuple[str, str] | None = None
    eol: Day | None = None
    released: Day | None = None
    severity: Severity = Severity.REFUSE

    def __post_init__(self) -> None:
        check_range(self.kubernetes)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportRow(Row):
    """One known release line; ``kubernetes`` is inclusive on both ends, None where upstream gives no range.

    ``follows`` names the line before a change of major, where counting minors has no meaning. ``edge`` is the
    Linkerd edge release that the line starts with. ``latest`` is the newest release that the data has seen.
    ``code_floor``: the oldest Kubernetes that the shipped code accepts. ``expected_eol`` is upstream's own guess.
    """

    line: str
    kubernetes: tuple[str, str] | None = None
    severity: Severity = Severity.REFUSE
    code_floor: str | None = None
    released: Day | None = None
    eol: Day | None = None
    expected_eol: str = ""
    envoy: str | None = None
    latest: str | None = None
    edge: str | None = None
    follows: str | None = None
    claims: tuple[Claim, ...] = ()

    def __post_init__(self) -> None:
        Row.__post_init__(self)
        check_line(self.line, self.code_floor, self.follows)
        check_range(self.kubernetes)
        check_releases(self.line, self.edge, self.latest)
        if self.edge is not None and self.subject != "linkerd":
            raise ValueError("edge: only Linkerd has edge releases")


@dataclass(frozen=True, slots=True)
class Partner:
    """One line of a follower that a leader's line is published with."""

    __pydantic_config__: ClassVar[Any] = _FORBID

    line: str
    envoy: str | None = None
    kubernetes: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        check_line(self.line)
        check_range(self.kubernetes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow(Row):
    """Upstream's table: which lines of ``follower`` go with one ``line`` of ``leader``; the default comes first."""

    leader: str
    line: str
    follower: str
    partners: tuple[Partner, ...]

    def __post_init__(self) -> None:
        Row.__post_init__(self)
        check_line(self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainRow(Row):
    """A way to make one node stop announcing, and the versions that have it (since inclusive, before exclusive)."""

    lever: str
    since: str
    before: str | None = None

    def __post_init__(self) -> None:
        Row.__post_init__(self)
        check_span(self.since, self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class BehaviourRow(Row):
    """What a component does that a plan must reckon with, from ``since`` (inclusive) until ``before`` (exclusive)."""

    component: str
    since: str = "0.0.0"
    before: str | None = None
    says: str

    def __post_init__(self) -> None:
        Row.__post_init__(self)
        check_span(self.since, self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRow(Row):
    """A place that charts or images come from and that upstream takes away on ``retires``."""

    location: str
    retires: Day
    fix: str


AnyRow = (
    SkewRow | JumpRow | DowngradeRow | OrderRow | SupportRow | PairRow | DrainRow | BehaviourRow | ArtifactRow
)

KINDS: Mapping[str, type[AnyRow]] = {
    "skew": SkewRow,
    "jump": JumpRow,
    "no-downgrade": DowngradeRow,
    "order": OrderRow,
    "support": SupportRow,
    "pair": PairRow,
    "drain": DrainRow,
    "behaviour": BehaviourRow,
    "artifact": ArtifactRow,
}
"""The name of each kind's tables in a rule file, as in ``[[skew]]``."""


def kind_of(row: AnyRow) -> str:
    return next(name for name, type_ in KINDS.items() if type(row) is type_)
