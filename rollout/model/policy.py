"""How a site wants to be moved: waves, windows, freezes, approvals, what must be quiet. Defaults are cautious."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Waves:
    """Canary node, canary rack, then waves that grow by ``growth`` up to ``max_share`` of the racks.

    Source: AWS' and cass-operator's practice (one box, first rack, growing waves, at most a third at once).
    A wave's racks share one failure domain or stand alone. Gateway nodes always move one at a time;
    ``workers_at_once`` bounds how many worker nodes of a wave are out together.
    """

    canary_node: bool = True
    canary_rack: bool = True
    growth: float = 2.0
    max_share: float = 0.34
    workers_at_once: int = 1
    wave_soak: timedelta = timedelta(0)
    wave_samples: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """Steps that take something away start only inside a window. ``days`` are ISO weekdays (1 Monday)."""

    days: tuple[int, ...]
    start: time
    duration: timedelta
    timezone: str


@dataclass(frozen=True, slots=True)
class Freeze:
    """Nothing is taken away from ``start`` until ``end`` (both with a zone), windows or not."""

    start: datetime
    end: datetime
    reason: str


class Purpose(StrEnum):
    """What an approval is asked for."""

    UPGRADE = "upgrade"
    MAINTAIN = "maintain"
    ROLLBACK = "rollback"
    STRICT = "strict"
    ROOT_REMOVAL = "root-removal"
    BREAK_GLASS = "break-glass"


@dataclass(frozen=True, slots=True)
class Approval:
    """How many different people must have signed the plan's id before a plan of this purpose is applied."""

    purpose: Purpose
    people: int


ALWAYS_TWO = (Approval(Purpose.STRICT, 2), Approval(Purpose.ROOT_REMOVAL, 2))
"""Not for a site to lower: both cut off whoever was forgotten."""


@dataclass(frozen=True, slots=True)
class AlertSource:
    """A Prometheus server; any series the query returns blocks. Source: Kured's prometheus-url and filter.

    ``ignore`` entries are matchers on the series' labels (see :mod:`rollout.model.alerts`). ``heartbeat`` names an
    alert that always fires (kube-prometheus' Watchdog): without it, a server that evaluates nothing is as quiet as
    a healthy site.
    """

    url: str
    query: str = 'ALERTS{alertstate="firing"}'
    ignore: tuple[str, ...] = ()
    bearer_file: str | None = None
    heartbeat: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """``conntrack_limit`` is a share of nf_conntrack_max. ``rules_max_age`` warns: tables are edited after release.

    ``images_required``: the images of what moves must be on its node before it goes, at both versions.
    ``allowed_signers`` is a file in the site's folder, as ssh-keygen reads it.
    """

    waves: Waves = field(default_factory=Waves)
    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    approvals: tuple[Approval, ...] = ()
    allowed_signers: str = "allowed_signers"
    alerts: AlertSource | None = None
    conntrack_limit: float = 0.70
    images_required: bool = False
    rules_max_age: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class ReleasePin:
    """Which chart version carries a subject's version where upstream numbers them apart (Consul, Linkerd stable).

    ``data_plane`` is the proxy's version, if it is numbered apart from the chart too; empty means like the chart.
    """

    version: str
    chart: str
    data_plane: str = ""


def people_needed(policy: Policy, purpose: Purpose) -> int:
    """How many must sign for this purpose: what the site asks, and never less than :data:`ALWAYS_TWO`."""
    asked = (approval.people for approval in (*policy.approvals, *ALWAYS_TWO) if approval.purpose is purpose)
    return max(asked, default=0)
