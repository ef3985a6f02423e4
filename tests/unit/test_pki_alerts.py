"""What is due, by tier and share of life; the calendar, the metrics and Prometheus' rules say the same."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml

from pki.alerts.due import Due, State, Tier, Watched, calendar, state_of, watched
from pki.alerts.ics import ics
from pki.alerts.metrics import NOT_AFTER, NOT_BEFORE, ROOTS, WRITTEN, metrics
from pki.alerts.rules import rules
from pki.fingerprint import fingerprint
from pki.material import Generation, IssuerCert
from pki.mint import BACKDATE
from tests.unit.odd_certificates import DAY, ISSUER, NOW, ROOT

SECOND = timedelta(seconds=1)
LIFE = 100 * DAY
ROOT_CERT = ROOT.but(begins=NOW, ends=NOW + LIFE).root()
ISSUER_CERT = ISSUER.but(begins=NOW, ends=NOW + LIFE).under(ROOT_CERT)
OWNER = 'mesh, "on-call"; team\\a'


def one(tier: Tier, generation: int = 1) -> Watched:
    cert = ROOT_CERT.cert if tier is Tier.ROOT else ISSUER_CERT.cert
    return Watched("fra1", "public", OWNER, tier, generation, None if tier is Tier.ROOT else 1, cert)


@pytest.mark.parametrize(
    ("tier", "left", "before", "after"),
    [
        (Tier.ROOT, 0.5, State.OK, State.WARNING),
        (Tier.ROOT, 0.25, State.WARNING, State.CRITICAL),
        (Tier.ISSUER, 0.5, State.OK, State.WARNING),
        (Tier.ISSUER, 0.25, State.WARNING, State.CRITICAL),
        (Tier.LEAF, 0.5, State.OK, State.OK),
        (Tier.LEAF, 0.25, State.OK, State.CRITICAL),
        (Tier.ROOT, 0.0, State.CRITICAL, State.EXPIRED),
        (Tier.LEAF, 0.0, State.CRITICAL, State.EXPIRED),
    ],
)
def test_a_state_changes_just_below_its_share(tier: Tier, left: float, before: State, after: State) -> None:
    moment = NOW + LIFE * (1 - left)
    assert state_of(one(tier), moment) is before
    assert state_of(one(tier), moment + SECOND) is after


def generation(number: int, begins: datetime, issuers: int = 1) -> Generation:
    root = ROOT.but(unit=f"g{number}", begins=begins - BACKDATE, ends=NOW + 900 * DAY).root()
    below = tuple(
        IssuerCert(n, ISSUER.but(unit=f"g{number}.{n}", begins=begins, ends=begins + LIFE).under(root).cert)
        for n in range(1, issuers + 1)
    )
    return Generation(number, root.cert, below)


def due(*generations: Generation, now: datetime = NOW) -> tuple[Due, ...]:
    return calendar(watched("fra1", "public", OWNER, generations), now)


def test_only_the_newest_issuer_of_a_generation_is_watched() -> None:
    names = [line.watched.name for line in due(generation(1, NOW, issuers=3))]
    assert names == ["public root g1", "public issuer g1.3"]


def test_two_roots_are_fine_for_a_week_and_then_the_older_one_is_due() -> None:
    both = (generation(1, NOW - 90 * DAY), generation(2, NOW))
    at_the_limit = due(*both, now=NOW + 7 * DAY)
    assert [line.state for line in at_the_limit if line.watched.tier is Tier.ROOT] == [State.OK, State.OK]
    after = due(*both, now=NOW + 7 * DAY + SECOND)
    states = {line.watched.name: line.state for line in after if line.watched.tier is Tier.ROOT}
    assert states == {"public root g1": State.TOO_MANY_ROOTS, "public root g2": State.OK}
    assert "retire this root" in after[0].next


def test_an_expired_root_is_expired_whatever_stands_beside_it() -> None:
    old = replace(
        generation(1, NOW - 90 * DAY), anchor=ROOT.but(begins=NOW - LIFE, ends=NOW - DAY).root().cert
    )
    [first, *_] = due(old, generation(2, NOW - 30 * DAY))
    assert first.state is State.EXPIRED


def test_two_meshes_with_a_root_each_are_not_two_roots_of_one() -> None:
    found = [
        *watched("fra1", "a", OWNER, [generation(1, NOW - 90 * DAY)]),
        *watched("fra1", "b", OWNER, [generation(2, NOW - 30 * DAY)]),
    ]
    assert State.TOO_MANY_ROOTS not in {line.state for line in calendar(found, NOW)}


def test_every_due_line_says_what_to_do_and_who() -> None:
    for line in due(generation(1, NOW - 90 * DAY)):
        assert bool(line.next) == (line.state is not State.OK)
        assert line.watched.owner == OWNER


def unfolded(text: str) -> list[str]:
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    return text.replace("\r\n ", "").split("\r\n")[:-1]


def events(text: str) -> Iterator[dict[str, str]]:
    body = "\n".join(unfolded(text))
    for block in re.findall(r"BEGIN:VEVENT\n(.*?)\nEND:VEVENT", body, re.DOTALL):
        yield dict(line.split(":", 1) for line in block.split("\n"))


def test_the_calendar_has_each_threshold_of_each_tier() -> None:
    text = ics([one(Tier.ROOT), one(Tier.LEAF)], NOW)
    found = {(event["SUMMARY"], event["DTSTART"]) for event in events(text)}
    half, quarter, end = (NOW + LIFE * share for share in (0.5, 0.75, 1))
    assert found == {
        (r"fra1: public root g1: half of its life is left\, plan its rotation", f"{half:%Y%m%dT%H%M%SZ}"),
        (r"fra1: public root g1: a quarter of its life is left\, rotate it now", f"{quarter:%Y%m%dT%H%M%SZ}"),
        ("fra1: public root g1 expires", f"{end:%Y%m%dT%H%M%SZ}"),
        (
            r"fra1: public leaf g1.1: a quarter of its life is left\, rotate it now",
            f"{quarter:%Y%m%dT%H%M%SZ}",
        ),
        ("fra1: public leaf g1.1 expires", f"{end:%Y%m%dT%H%M%SZ}"),
    }


def test_an_owner_with_any_letters_is_escaped_and_folded_whole() -> None:
    text = ics([replace(one(Tier.ROOT), owner="Zoë; ops, night\nBEGIN:VEVENT " + "é" * 90)], NOW)
    [first, *_] = events(text)
    assert first["CONTACT"] == r"Zoë\; ops\, night\nBEGIN:VEVENT " + "é" * 90
    assert text.count("\r\nBEGIN:VEVENT") == 3


def test_the_same_certificate_keeps_its_event_ids() -> None:
    first, second = (
        [event["UID"] for event in events(ics([one(Tier.ROOT)], now))] for now in (NOW, NOW + 9 * DAY)
    )
    assert first == second
    assert len(set(first)) == 3


def test_metrics_have_both_ends_the_number_of_roots_and_their_own_age() -> None:
    text = metrics([one(Tier.ROOT), one(Tier.ISSUER), one(Tier.ROOT, 2)], NOW)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    print_of = fingerprint(ROOT_CERT.cert)
    head = f'{{site="fra1",mesh="public",tier="root",generation="1",issuer="",fingerprint="{print_of}",'
    owner = r'owner="mesh, \"on-call\"; team\\a"}'
    assert f"{NOT_AFTER}{head}{owner} {int((NOW + LIFE).timestamp())}" in lines
    assert f"{NOT_BEFORE}{head}{owner} {int(NOW.timestamp())}" in lines
    assert f'{ROOTS}{{site="fra1",mesh="public"}} 2' in lines
    assert lines[-1] == f'{WRITTEN}{{site="fra1"}} {int(NOW.timestamp())}'


needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool: scripts/os-packages prometheus"
)


def promtool(*words: str, given: str | None = None, folder: Path | None = None) -> tuple[int, str]:
    done = subprocess.run(
        ["promtool", *words], input=given, capture_output=True, text=True, check=False, cwd=folder
    )
    return done.returncode, done.stdout + done.stderr


@needs_promtool
def test_promtool_finds_nothing_to_say_about_the_metrics() -> None:
    text = metrics([one(Tier.ROOT), one(Tier.ISSUER)], NOW)
    assert promtool("check", "metrics", given=text) == (0, "")


HOURS = 100
"""The life of every certificate in the rule tests; Prometheus' clock starts at 0."""

FIRING = {
    "RackrollPkiCaWarning": [(49, ()), (51, ("root", "issuer")), (74, ("root", "issuer")), (76, ())],
    "RackrollPkiCaCritical": [(74, ()), (76, ("root", "issuer")), (101, ("root", "issuer"))],
    "RackrollPkiLeafCritical": [(51, ()), (74, ()), (76, ("leaf",)), (101, ("leaf",))],
}


def rule_tests() -> dict[str, object]:
    """When each alert fires and when it does not, in promtool's own form."""
    labels = {
        tier: f'site="s",mesh="m",tier="{tier}",generation="1",owner="o"'
        for tier in ("root", "issuer", "leaf")
    }
    series = [
        {"series": f"{name}{{{of}}}", "values": f"{value}+0x{HOURS * 3}"}
        for of in labels.values()
        for name, value in ((NOT_AFTER, HOURS * 3600), (NOT_BEFORE, 0))
    ]
    series.append({"series": WRITTEN, "values": f"0+3600x{HOURS * 3}"})
    series.append({"series": f'{ROOTS}{{site="s",mesh="m"}}', "values": "1 1 " + "2+0x300"})
    series.append({"series": f'{ROOTS}{{site="s",mesh="calm"}}', "values": "1+0x300"})
    cases: list[dict[str, object]] = [
        {
            "eval_time": f"{hour}h",
            "alertname": name,
            "exp_alerts": [_alert(name, tier, hour) for tier in tiers],
        }
        for name, moments in FIRING.items()
        for hour, tiers in moments
    ]
    cases += [_roots(hour, fires=fires) for hour, fires in ((100, False), (169, False), (170, True))]
    cases.append({"eval_time": "90h", "alertname": "RackrollPkiNoData", "exp_alerts": []})
    silent: list[dict[str, object]] = [
        {"series": WRITTEN, "values": "0+3600x9 " + "32400+0x100"},
    ]
    stale = [
        {
            "eval_time": f"{hour}h",
            "alertname": "RackrollPkiNoData",
            "exp_alerts": [_no_data()] if fires else [],
        }
        for hour, fires in ((56, False), (58, True))
    ]
    gone = [{"eval_time": "1h", "alertname": "RackrollPkiNoData", "exp_alerts": [_no_data()]}]
    return {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1h",
        "tests": [
            {"interval": "1h", "input_series": series, "alert_rule_test": cases},
            {"interval": "1h", "input_series": silent, "alert_rule_test": stale},
            {"interval": "1h", "input_series": [], "alert_rule_test": gone},
        ],
    }


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


@needs_promtool
def test_promtool_sees_each_alert_fire_when_it_should_and_not_before(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rules())
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(rule_tests()))
    code, said = promtool("test", "rules", "tests.yml", folder=tmp_path)
    assert code == 0, said


@needs_promtool
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
