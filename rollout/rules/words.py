"""Each row as one sentence: what the tables of ``rackroll rules`` and docs/checks.md show."""

from __future__ import annotations

from typing import assert_never

from rollout.rules.rows import (
    AnyRow,
    ArtifactRow,
    BehaviourRow,
    DowngradeRow,
    DrainRow,
    JumpRow,
    OrderRow,
    PairRow,
    Severity,
    SkewRow,
    SupportRow,
)
from rollout.rules.support import ends, kubernetes_range

PRODUCT = {
    "istio": "Istio",
    "istio-ambient": "Istio ambient",
    "linkerd": "Linkerd",
    "cilium": "Cilium",
    "consul": "Consul",
    "metallb": "MetalLB",
    "kubernetes": "Kubernetes",
}


def statement(row: AnyRow) -> str:
    """What the row says, without its source."""
    match row:
        case SkewRow():
            return _skew(row)
        case JumpRow():
            return _jump(row)
        case DowngradeRow():
            return "an upgrade plan never goes below what runs: it would put the control plane under newer followers"
        case OrderRow():
            return "order: " + ", ".join(row.steps)
        case SupportRow():
            return _support(row)
        case PairRow():
            partners = ", ".join(partner.line for partner in row.partners)
            return f"{row.leader} {row.line} goes with {row.follower} {partners}"
        case DrainRow():
            return f"{_span(row.since, row.before)} one node is withdrawn by its {row.lever}: {row.note}"
        case BehaviourRow():
            return f"{_span(row.since, row.before)} {row.component}: {row.says}".removeprefix(
                "all versions, "
            )
        case ArtifactRow():
            return f"{row.location} ends on {row.retires.isoformat()}: warns"
        case _:
            assert_never(row)


def _skew(row: SkewRow) -> str:
    followers = " and ".join(row.followers) if len(row.followers) < 3 else ", ".join(row.followers)
    if row.table:
        text = f"{followers}: only lines that upstream's table gives for the {row.leader}'s line"
    elif row.leader in row.followers and row.max_behind is not None:
        text = f"all {row.leader}s run within {_minors(row.max_behind)} of each other"
    elif row.max_behind is None:
        text = f"{followers} may run at any distance from the {row.leader}"
    elif row.max_behind == row.max_ahead == 0:
        text = f"{followers} run the {row.leader}'s minor"
    else:
        text = f"{followers} trail the {row.leader} by at most {_minors(row.max_behind)} and {_lead(row.max_ahead)}"
    if row.narrower is not None:
        text += f" ({row.narrower.max_behind} below {row.narrower.before})"
    return text + (" (at rest; the neighbouring minor while it rolls)" if row.transient_ok else "")


def _lead(ahead: int | None) -> str:
    if ahead is None:
        return "lead without a limit"
    return f"lead by at most {_minors(ahead)}" if ahead else "never lead"


def _jump(row: JumpRow) -> str:
    by = "" if row.method == "any" else f"{row.method}: "
    down = "no line down" if row.down is None else f"{_minors(row.down)} down"
    text = f"{by}at most {_minors(row.up)} up and {down} in one hop"
    for exception in row.exceptions:
        edition = f"+{exception.edition}" if exception.edition else ""
        text += f"; {exception.since}{edition} and newer may go to {exception.to_line}"
    return text + ("; from the newest patch of the minor (warns)" if row.latest_patch_first else "")


def _support(row: SupportRow) -> str:
    name, span, eol = f"{PRODUCT[row.subject]} {row.line}", kubernetes_range(row), ends(row)
    if span is not None:
        verb = "runs on" if row.severity is Severity.REFUSE else "is tested on (others warn)"
        name += f" {verb} Kubernetes {span[0]} to {span[1]}"
    else:
        name += (
            " is a known line"
            if row.subject == "kubernetes"
            else " is a known line without a Kubernetes range"
        )
    if eol is None:
        return name + (f", support ends {row.expected_eol}" if row.expected_eol else "")
    return f"{name}, support ends {eol.isoformat()}"


def _minors(count: int) -> str:
    return f"{count} minor{'' if count == 1 else 's'}"


def _span(since: str, before: str | None) -> str:
    if since == "0.0.0":
        return "all versions," if before is None else f"before {before},"
    return f"from {since}," if before is None else f"from {since} until {before},"
