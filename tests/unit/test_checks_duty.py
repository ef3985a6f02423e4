"""Windows, freezes and alerts: when something may be taken away, and what is said when it may not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.checks.calendar import closes, open_now, opens_next
from rollout.checks.catalogue import catalogue
from rollout.checks.facts import Absent, Facts, Unknown
from rollout.model.gate import Finding, Verdict
from rollout.model.observed import NodeState
from rollout.model.policy import AlertSource, Freeze, Policy, Window

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = Window((1, 2, 3, 4), time(22), timedelta(hours=4), "Europe/Berlin")
TRADE = Freeze(datetime(2026, 12, 18, tzinfo=BERLIN), datetime(2027, 1, 7, tzinfo=BERLIN), "christmas trade")
SITE = Policy(windows=(NIGHTS,), freezes=(TRADE,))
MONDAY = datetime(2026, 11, 23, tzinfo=BERLIN)
FIRING = {"alertname": "EtcdDown", "severity": "critical", "instance": "r1n1:2379"}


def window(now: datetime, policy: Policy = SITE, **facts: object) -> Finding:
    base = Facts("run-1", "r1n1", (), (), policy=policy, now=now.astimezone(UTC))
    return catalogue()["WINDOW-OPEN"].find(replace(base, **facts))  # type: ignore[arg-type]


def alerts(source: AlertSource | None, found: object, **facts: object) -> Finding:
    base = Facts("run-1", "r1n1", (), (), policy=Policy(alerts=source), alerts=found)  # type: ignore[arg-type]
    return catalogue()["ALERTS-QUIET"].find(replace(base, **facts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hour", "expected"),
    [(21.99, Verdict.CLOSED), (22, Verdict.OPEN), (25.99, Verdict.OPEN), (26, Verdict.CLOSED)],
)
def test_a_window_opens_at_its_hour_and_goes_past_midnight(hour: float, expected: Verdict) -> None:
    assert window(MONDAY + timedelta(hours=hour)).verdict is expected


def test_a_closed_window_says_when_it_opens_next() -> None:
    friday = datetime(2026, 11, 27, 23, tzinfo=BERLIN)
    found = window(friday)
    assert found.verdict is Verdict.CLOSED
    assert "opens Mon 2026-11-30 22:00 CET" in found.detail
    assert "rackroll resume" in found.hint


def test_a_freeze_beats_the_window_and_its_reason_is_told() -> None:
    found = window(datetime(2026, 12, 21, 23, tzinfo=BERLIN))
    assert found.verdict is Verdict.CLOSED
    assert "christmas trade" in found.detail
    assert "opens Thu 2027-01-07 00:00 CET" in found.detail, "Wednesday night's window is still open then"
    noon = replace(TRADE, end=datetime(2027, 1, 7, 12, tzinfo=BERLIN))
    later = window(datetime(2026, 12, 21, 23, tzinfo=BERLIN), replace(SITE, freezes=(noon,)))
    assert "opens Thu 2027-01-07 22:00 CET" in later.detail, "the first window after the freeze, not its end"


def test_a_freeze_that_ends_inside_a_window_opens_it_there() -> None:
    late = replace(TRADE, end=datetime(2027, 1, 4, 23, 30, tzinfo=BERLIN))
    found = window(datetime(2027, 1, 1, tzinfo=BERLIN), replace(SITE, freezes=(late,)))
    assert "opens Mon 2027-01-04 23:30 CET" in found.detail


def test_without_windows_only_freezes_close() -> None:
    frozen = Policy(freezes=(TRADE,))
    assert window(MONDAY, Policy()).verdict is Verdict.OPEN
    assert window(MONDAY, frozen).verdict is Verdict.OPEN
    assert window(TRADE.start, frozen).verdict is Verdict.CLOSED
    assert window(TRADE.end, frozen).verdict is Verdict.OPEN, "until is the first free moment"


def test_windows_keep_to_wall_clock_time_across_summer_time() -> None:
    sunday = Window((7,), time(2, 30), timedelta(hours=1), "Europe/Berlin")
    policy = Policy(windows=(sunday,))
    winter = datetime(2026, 3, 22, 1, 30, tzinfo=UTC)
    summer = datetime(2026, 4, 5, 0, 30, tzinfo=UTC)
    for start in (winter, summer):
        assert open_now(policy, start)
        assert not open_now(policy, start - timedelta(minutes=1))
    skipped = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert open_now(policy, skipped), (
        "02:30 does not exist that day: the window starts when the clock went on"
    )


def test_a_zone_that_this_machine_does_not_know_is_inconclusive() -> None:
    lost = replace(SITE, windows=(replace(NIGHTS, timezone="Europe/Atlantis"),))
    found = window(MONDAY, lost)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "Atlantis" in found.detail


def test_a_node_that_this_run_took_out_is_finished_after_closing_time() -> None:
    ours = NodeState("r1n1", True, True, True, "run-1")
    noon = MONDAY + timedelta(hours=12)
    assert window(noon, nodes=(ours,)).verdict is Verdict.OPEN
    assert "finished first" in window(noon, nodes=(ours,)).detail
    for other in (
        replace(ours, owner="run-0"),
        replace(ours, name="r1n2"),
        replace(ours, cordoned=False, excluded=False),
    ):
        assert window(noon, nodes=(other,)).verdict is Verdict.CLOSED
    assert window(noon, nodes=Unknown("kubernetes")).verdict is Verdict.CLOSED


@pytest.mark.parametrize("check", ["WINDOW-OPEN", "ALERTS-QUIET"])
def test_break_glass_opens_window_and_alerts_and_the_finding_says_so(check: str) -> None:
    now = MONDAY.astimezone(UTC)
    policy = replace(SITE, alerts=AlertSource("http://p"))
    facts = Facts("run-1", "r1n1", (), (), policy=policy, now=now, alerts=(FIRING,))
    assert catalogue()[check].find(facts).verdict is Verdict.CLOSED
    broken = catalogue()[check].find(replace(facts, break_glass="CVE-2026-1"))
    assert broken.verdict is Verdict.OPEN
    assert "closed, but opened by break-glass (CVE-2026-1)" in broken.detail


def test_break_glass_opens_nothing_else() -> None:
    assert {c.id for c in catalogue().values() if c.breakable} == {"WINDOW-OPEN", "ALERTS-QUIET"}
    facts = Facts("run-1", "z", (), (), break_glass="in a hurry")
    assert catalogue()["NODE-FREE"].find(facts).verdict is Verdict.INCONCLUSIVE


def test_any_alert_closes_and_is_named() -> None:
    found = alerts(AlertSource("http://p"), (FIRING,))
    assert found.verdict is Verdict.CLOSED
    assert "EtcdDown (severity=critical, instance=r1n1:2379)" in found.detail


def test_a_series_without_a_name_is_named_by_its_labels() -> None:
    assert "job=etcd" in alerts(AlertSource("http://p"), ({"job": "etcd"},)).detail


def test_many_alerts_are_counted_rather_than_listed() -> None:
    found = alerts(AlertSource("http://p"), tuple({"alertname": f"A{n}"} for n in range(20)))
    assert "A7" in found.detail
    assert "and 12 more" in found.detail


def test_no_series_is_quiet_and_no_source_says_so() -> None:
    assert alerts(AlertSource("http://p"), ()).verdict is Verdict.OPEN
    unasked = alerts(None, Absent("no alert source configured"))
    assert (unasked.verdict, unasked.detail) == (Verdict.OPEN, "no alert source configured")


def test_a_silent_server_is_inconclusive() -> None:
    found = alerts(AlertSource("http://p"), Unknown("alerts http://p: does not answer"))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "http://p" in found.detail


@pytest.mark.parametrize(
    ("entry", "quiet"),
    [
        ("EtcdDown", True),
        ("Etcd", False),
        ("Etcd.*", True),
        ("EtcdDown, severity=critical", True),
        ("EtcdDown, severity=warning", False),
        ("instance={node}:.*", True),
        ("severity=critical|warning", True),
        ("KubeNodeUnschedulable", False),
    ],
)
def test_an_ignored_alert_matches_wholly_by_name_or_label(entry: str, quiet: bool) -> None:
    found = alerts(AlertSource("http://p", ignore=(entry,)), (FIRING,))
    assert (found.verdict is Verdict.OPEN) is quiet


def test_an_alert_of_the_moving_node_is_ignored_and_the_same_of_another_is_not() -> None:
    source = AlertSource("http://p", ignore=("MetalLBBGPSessionDown, node={node}",))
    down = {"alertname": "MetalLBBGPSessionDown", "node": "r1n1"}
    assert alerts(source, (down,)).verdict is Verdict.OPEN
    assert alerts(source, (down,), node="r1n").verdict is Verdict.CLOSED
    assert alerts(source, (down,), node=None).verdict is Verdict.CLOSED, "nobody moves: nothing explains it"


def test_a_heartbeat_never_blocks_and_its_absence_is_no_health() -> None:
    source = AlertSource("http://p", heartbeat="Watchdog")
    assert alerts(source, ({"alertname": "Watchdog"},)).verdict is Verdict.OPEN
    assert alerts(source, ()).verdict is Verdict.INCONCLUSIVE
    assert alerts(source, (FIRING,)).verdict is Verdict.CLOSED, "what fires is told first"


moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda m: m.replace(tzinfo=UTC))
lengths = st.integers(1, 7 * 24 * 60).map(lambda m: timedelta(minutes=m))
zones = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
windows = st.builds(
    Window,
    st.sets(st.integers(1, 7), min_size=1).map(lambda days: tuple(sorted(days))),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    lengths,
    zones,
)
freezes = st.tuples(moments, lengths).map(lambda f: Freeze(f[0], f[0] + f[1] * 8, "x"))
policies = st.builds(
    lambda w, f: Policy(windows=tuple(w), freezes=tuple(f)),
    st.lists(windows, max_size=3),
    st.lists(freezes, max_size=4),
)


@settings(max_examples=200, deadline=None)
@given(policies, moments)
def test_it_is_open_when_it_was_said_to_open_and_not_a_minute_sooner(policy: Policy, now: datetime) -> None:
    start = opens_next(policy, now)
    assert start is not None
    assert open_now(policy, start)
    if not open_now(policy, now):
        assert start > now
        before = (
            now + (start - now) * 0.999
            if start - now < timedelta(minutes=2)
            else start - timedelta(minutes=1)
        )
        assert not open_now(policy, max(before, now))


@settings(max_examples=200, deadline=None)
@given(policies, moments)
def test_what_is_open_stays_so_until_it_was_said_to_close(policy: Policy, now: datetime) -> None:
    if not open_now(policy, now):
        return
    end = closes(policy, now)
    if end is None:
        assert not policy.windows
        return
    assert end > now
    assert open_now(policy, end - timedelta(seconds=1)) or end - now < timedelta(seconds=1)
