"""The same thresholds as Prometheus alerting rules, over the metrics of ``pki.alerts.metrics``."""

from __future__ import annotations

from datetime import timedelta

from pki.alerts.due import ROOTS_TOGETHER, THRESHOLDS, Tier
from pki.alerts.metrics import NOT_AFTER, NOT_BEFORE, ROOTS, WRITTEN

STALE = timedelta(days=2)
"""Metrics older than this say nothing any more: no data is not healthy."""


def rules(together: timedelta = ROOTS_TOGETHER) -> str:
    """A rules file (YAML). ``owner`` is a label of each alert about a certificate: a route can be made of it."""
    return "groups:\n  - name: rackroll-pki\n    rules:\n" + "".join(
        (*_authorities(), _leaf(), *_others(together))
    )


def _authorities() -> tuple[str, str]:
    limits = THRESHOLDS[Tier.ROOT]
    assert THRESHOLDS[Tier.ISSUER] == limits
    assert limits.warning is not None
    left = _left('tier=~"root|issuer"')
    says = (
        "The {{ $labels.tier }} g{{ $labels.generation }} of {{ $labels.site }}/{{ $labels.mesh }} has "
        "{{ $value | humanizePercentage }} of its life left: {{ $labels.owner }} "
    )
    between = f"{left} < {limits.warning} >= {limits.critical}"
    return (
        _alert("RackrollPkiCaWarning", between, "warning", f"{says}plans its rotation."),
        _alert("RackrollPkiCaCritical", f"{left} < {limits.critical}", "critical", f"{says}rotates it now."),
    )


def _leaf() -> str:
    says = (
        "A leaf of {{ $labels.site }}/{{ $labels.mesh }} has {{ $value | humanizePercentage }} of its life left: "
        "it is not renewed."
    )
    left = _left('tier="leaf"')
    expr = f"{left} < {THRESHOLDS[Tier.LEAF].critical}"
    return _alert("RackrollPkiLeafCritical", expr, "critical", says)


def _others(together: timedelta) -> tuple[str, str]:
    many = "{{ $labels.site }}/{{ $labels.mesh }} has trusted {{ $value }} roots for too long: finish the rotation."
    gone = "The PKI metrics are old or gone, so no expiry would be seen: write `rackroll pki alerts --metrics` again."
    stale = f"time() - {WRITTEN} > {int(STALE.total_seconds())} or absent({WRITTEN})"
    return (
        _alert("RackrollPkiTooManyRoots", f"{ROOTS} > 1", "warning", many, together),
        _alert("RackrollPkiNoData", stale, "critical", gone),
    )


def _left(where: str) -> str:
    """The share of its life that a certificate has left."""
    return f"({NOT_AFTER}{{{where}}} - time()) / ({NOT_AFTER}{{{where}}} - {NOT_BEFORE}{{{where}}})"


def _alert(name: str, expr: str, severity: str, says: str, lasts: timedelta | None = None) -> str:
    wait = f"        for: {int(lasts.total_seconds())}s\n" if lasts else ""
    return (
        f"      - alert: {name}\n        expr: '{expr}'\n{wait}"
        f"        labels: {{severity: {severity}}}\n        annotations:\n          summary: '{says}'\n"
    )
