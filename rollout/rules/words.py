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
from rollout.rules.support import ends, kubernetes_range, strictest_range

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
        text = f"{followers}: only a line that upstream's table gives for the line of {row.leader}"
    elif row.followers == (row.leader,) and row.max_behind is not None:
        text = f"no two of {row.leader} more than {_minors(row.max_behind)} apart"
    elif row.max_behind is None:
        text = f"{followers} at any distance from {'each other' if row.followers == (row.leader,) else row.leader}"
    elif row.max_behind == row.max_ahead == 0:
        text = f"{followers} at the minor of {row.leader}"
    else:
        text = f"{followers} at most {_minors(row.max_behind)} behind {row.leader}, {_lead(row.max_ahead)}"
    if row.narrower is not None:
        text += f"; at most {row.narrower.max_behind} where the follower is below {row.narrower.before}"
    return text + (" (at rest; one minor more while it rolls)" if row.transient_ok else "")


def _lead(ahead: int | None) -> str:
    if ahead is None:
        return "ahead without a limit"
    return f"at most {_minors(ahead)} ahead" if ahead else "never ahead"


def _jump(row: JumpRow) -> str:
    by = "" if row.method == "any" else f"{row.method}: "
    down = "no line down" if row.down is None else f"{_minors(row.down)} down"
    text = f"{by}at most {_minors(row.up)} up, {down}, in one hop"
    for exception in row.exceptions:
        edition = f"+{exception.edition}" if exception.edition else ""
        text += f"; {exception.since}{edition} and newer may go to {exception.to_line}"
    return text + ("; from the newest patch of the minor (warns)" if row.latest_patch_first else "")


def _support(row: SupportRow) -> str:
    name, eol = f"{PRODUCT[row.subject]} {row.line}{_range(row)}", ends(row)
    if eol is not None:
        return f"{name}, support ends {eol.isoformat()}"
    return name + (f", support ends {row.expected_eol}" if row.expected_eol else "")


def _range(row: SupportRow) -> str:
    span, strict = kubernetes_range(row), strictest_range(row)
    if span is None or strict is None:
        return " is a known line" + ("" if row.subject == "kubernetes" else " without a Kubernetes range")
    if row.severity is Severity.WARN:
        return f" is tested on Kubernetes {span[0]} to {span[1]} (elsewhere warns)"
    also = f" ({span[0]} to {span[1]} with a warning)" if span != strict else ""
    return f" runs on Kubernetes {strict[0]} to {strict[1]}{also}"


def _minors(count: int) -> str:
    return f"{count} minor{'' if count == 1 else 's'}"


def _span(since: str, before: str | None) -> str:
    if since == "0.0.0":
        return "all versions," if before is None else f"before {before},"
    return f"from {since}," if before is None else f"from {since} until {before},"
