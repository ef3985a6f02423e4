"""The same thresholds as Prometheus alerting rules, over the metrics of ``pki.alerts.metrics``."""

from __future__ import annotations

from datetime import timedelta

from pki.alerts.due import ROOTS_TOGETHER, THRESHOLDS, Tier
from pki.alerts.metrics import NOT_AFTER, NOT_BEFORE, ROOTS, WRITTEN

STALE = timedelta(days=2)
"""Metrics older than this say nothing any more: no data is not healthy."""


def rules(together: timedelta = ROOTS_TOGETHER) -> str:
    """A rules file (YAML). ``owner`` is a label of every alert, so that a route can be made of it."""
    authority = THRESHOLDS[Tier.ROOT]
    assert THRESHOLDS[Tier.ISSUER] == authority
    assert authority.warning is not None
    both, leaf = _left('tier=~"root|issuer"'), _left('tier="leaf"')
    groups = (
        _alert(
            "RackrollPkiCaWarning",
            f"{both} < {authority.warning} >= {authority.critical}",
            "warning",
            "The {{ $labels.tier }} g{{ $labels.generation }} of {{ $labels.site }}/{{ $labels.mesh }} has "
            "{{ $value | humanizePercentage }} of its life left: {{ $labels.owner }} plans its rotation.",
        ),
        _alert(
            "RackrollPkiCaCritical",
            f"{both} < {authority.critical}",
            "critical",
            "The {{ $labels.tier }} g{{ $labels.generation }} of {{ $labels.site }}/{{ $labels.mesh }} has "
            "{{ $value | humanizePercentage }} of its life left: {{ $labels.owner }} rotates it now.",
        ),
        _alert(
            "RackrollPkiLeafCritical",
            f"{leaf} < {THRESHOLDS[Tier.LEAF].critical}",
            "critical",
            "A leaf of {{ $labels.site }}/{{ $labels.mesh }} has {{ $value | humanizePercentage }} of its life left: "
            "it is not renewed.",
        ),
        _alert(
            "RackrollPkiTooManyRoots",
            f"{ROOTS} > 1",
            "warning",
            "{{ $labels.site }}/{{ $labels.mesh }} has trusted {{ $value }} roots for too long: finish the rotation.",
            together,
        ),
        _alert(
            "RackrollPkiNoData",
            f"time() - {WRITTEN} > {int(STALE.total_seconds())} or absent({WRITTEN})",
            "critical",
            "The PKI metrics are old or gone, so no expiry would be seen: write `rackroll pki alerts --metrics` again.",
        ),
    )
    return "groups:\n  - name: rackroll-pki\n    rules:\n" + "".join(groups)


def _left(where: str) -> str:
    """The share of its life that a certificate has left."""
    return f"({NOT_AFTER}{{{where}}} - time()) / ({NOT_AFTER}{{{where}}} - {NOT_BEFORE}{{{where}}})"


def _alert(name: str, expr: str, severity: str, says: str, lasts: timedelta | None = None) -> str:
    wait = f"        for: {int(lasts.total_seconds())}s\n" if lasts else ""
    return (
        f"      - alert: {name}\n        expr: '{expr}'\n{wait}"
        f"        labels: {{severity: {severity}}}\n        annotations:\n          summary: '{says}'\n"
    )
