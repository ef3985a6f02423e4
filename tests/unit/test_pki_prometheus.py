"""Prometheus' own `promtool` sees each alert fire when it should, and would notice another threshold."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from pki.alerts.due import Tier, Watched
from pki.alerts.metrics import NOT_AFTER, NOT_BEFORE, ROOTS, WRITTEN, metrics
from pki.alerts.rules import rules
from tests.unit.odd_certificates import ISSUER, NOW, ROOT

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool: scripts/os-packages prometheus"
)


def promtool(*words: str, given: str | None = None, folder: Path | None = None) -> tuple[int, str]:
    done = subprocess.run(
        ["promtool", *words], input=given, capture_output=True, text=True, check=False, cwd=folder
    )
    return done.returncode, done.stdout + done.stderr


def test_promtool_finds_nothing_to_say_about_the_metrics() -> None:
    root = ROOT.root()
    found = [
        Watched("fra1", "public", "me", Tier.ROOT, 1, None, root.cert),
        Watched("fra1", "public", "me", Tier.ISSUER, 1, 1, ISSUER.under(root).cert),
    ]
    assert promtool("check", "metrics", given=metrics(found, NOW)) == (0, "")


HOURS = 100
"""The life of every certificate in the rule tests; Prometheus' clock starts at 0."""

FIRING = {
    "RackrollPkiCaWarning": [(49, ()), (51, ("root", "issuer")), (74, ("root", "issuer")), (76, ())],
    "RackrollPkiCaCritical": [(74, ()), (76, ("root", "issuer")), (101, ("root", "issuer"))],
    "RackrollPkiLeafCritical": [(51, ()), (74, ()), (76, ("leaf",)), (101, ("leaf",))],
}


def rule_tests() -> dict[str, object]:
    """When each alert fires and when it does not, in promtool's own form."""
    stale: list[dict[str, object]] = [{"series": WRITTEN, "values": "0+3600x9 " + "32400+0x100"}]
    return {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1h",
        "tests": [
            _test(_living(), [*_expiries(), *_roots_together(), _silence(90, fires=False)]),
            _test(stale, [_silence(56, fires=False), _silence(58, fires=True)]),
            _test([], [_silence(1, fires=True)]),
        ],
    }


def _test(series: list[dict[str, object]], cases: list[dict[str, object]]) -> dict[str, object]:
    return {"interval": "1h", "input_series": series, "alert_rule_test": cases}


def _living() -> list[dict[str, object]]:
    """One certificate of each tier with a life of 100 hours; two roots from the third hour on; fresh metrics."""
    labels = [
        f'site="s",mesh="m",tier="{tier}",generation="1",owner="o"' for tier in ("root", "issuer", "leaf")
    ]
    certificates: list[dict[str, object]] = [
        {"series": f"{name}{{{of}}}", "values": f"{value}+0x{HOURS * 3}"}
        for of in labels
        for name, value in ((NOT_AFTER, HOURS * 3600), (NOT_BEFORE, 0))
    ]
    return [
        *certificates,
        {"series": WRITTEN, "values": f"0+3600x{HOURS * 3}"},
        {"series": f'{ROOTS}{{site="s",mesh="m"}}', "values": "1 1 " + "2+0x300"},
        {"series": f'{ROOTS}{{site="s",mesh="calm"}}', "values": "1+0x300"},
    ]


def _expiries() -> list[dict[str, object]]:
    return [
        {
            "eval_time": f"{hour}h",
            "alertname": name,
            "exp_alerts": [_alert(name, tier, hour) for tier in tiers],
        }
        for name, moments in FIRING.items()
        for hour, tiers in moments
    ]


def _roots_together() -> list[dict[str, object]]:
    """A week is 168 hours, and counts from the third one."""
    return [_roots(hour, fires=fires) for hour, fires in ((100, False), (169, False), (170, True))]


def _silence(hour: int, *, fires: bool) -> dict[str, object]:
    alerts = [_no_data()] if fires else []
    return {"eval_time": f"{hour}h", "alertname": "RackrollPkiNoData", "exp_alerts": alerts}


def _alert(name: str, tier: str, hour: int) -> dict[str, object]:
    severity = "warning" if name.endswith("Warning") else "critical"
    share = f"{(HOURS - hour):d}%"
    ends = {"Warning": "plans its rotation.", "ritical": "rotates it now."}[name[-7:]]
    says = f"The {tier} g1 of s/m has {share} of its life left: o {ends}"
    if tier == "leaf":
        says = f"A leaf of s/m has {share} of its life left: it is not renewed."
    own = {"severity": severity, "site": "s", "mesh": "m", "tier": tier, "generation": "1", "owner": "o"}
    return {"exp_labels": own, "exp_annotations": {"summary": says}}


def _roots(hour: int, *, fires: bool) -> dict[str, object]:
    alert = {
        "exp_labels": {"severity": "warning", "site": "s", "mesh": "m"},
        "exp_annotations": {"summary": "s/m has trusted 2 roots for too long: finish the rotation."},
    }
    return {
        "eval_time": f"{hour}h",
        "alertname": "RackrollPkiTooManyRoots",
        "exp_alerts": [alert] if fires else [],
    }


def _no_data() -> dict[str, object]:
    says = "The PKI metrics are old or gone, so no expiry would be seen: write `rackroll pki alerts --metrics` again."
    return {"exp_labels": {"severity": "critical"}, "exp_annotations": {"summary": says}}


def test_promtool_sees_each_alert_fire_when_it_should_and_not_before(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rules())
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(rule_tests()))
    code, said = promtool("test", "rules", "tests.yml", folder=tmp_path)
    assert code == 0, said


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("0.5 ", "0.6 "), ("< 0.25", "< 0.2"), ("> 1", "> 2"), ("604800s", "3600s"), ("172800", "999999")],
)
def test_promtool_would_have_noticed_another_threshold(right: str, wrong: str, tmp_path: Path) -> None:
    """Negative control of the test above."""
    assert right in rules()
    (tmp_path / "rules.yml").write_text(rules().replace(right, wrong))
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(rule_tests()))
    code, _ = promtool("test", "rules", "tests.yml", folder=tmp_path)
    assert code != 0
