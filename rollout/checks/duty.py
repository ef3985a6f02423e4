"""Whether this is a time to take something away: the site's calendar, and what its alerts say."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfoNotFoundError

from rollout.checks.calendar import closes, frozen, open_now, opens_next, shown
from rollout.checks.facts import Absent, Alerts, Facts, Unknown
from rollout.checks.registry import Answer, Need, Registry, few
from rollout.model.alerts import ignored
from rollout.model.gate import Verdict
from rollout.model.policy import AlertSource

DUTY = Registry()
_TELLING = ("severity", "node", "instance", "namespace")


@DUTY.check(
    "WINDOW-OPEN",
    Need.NODES,
    hint="wait until it opens and `rackroll resume`, or plan again with a reason for break-glass",
    breakable=True,
)
def window_is_open(facts: Facts) -> Answer:
    """May something be taken away at this hour? A freeze beats every window; a node that is out may be finished."""
    try:
        verdict, detail = _calendar(facts)
    except ZoneInfoNotFoundError as error:
        return Verdict.INCONCLUSIVE, f"this machine does not know the time zone: {error}"
    if verdict is Verdict.CLOSED and facts.begun:
        return Verdict.OPEN, f"{facts.node} is out already and is finished first ({detail})"
    return verdict, detail


def _calendar(facts: Facts) -> Answer:
    policy, now = facts.policy, facts.now
    if not policy.windows and not policy.freezes:
        return Verdict.OPEN, "this site has no windows and no freezes"
    if open_now(policy, now):
        end = closes(policy, now)
        return Verdict.OPEN, f"open until {shown(end, policy)}" if end else "no freeze is ahead"
    freeze, start = frozen(policy, now), opens_next(policy, now)
    why = f"frozen ({freeze.reason})" if freeze else "no maintenance window is open"
    return Verdict.CLOSED, f"{why}; opens {shown(start, policy) if start else 'never: see policy.windows'}"


@DUTY.check(
    "ALERTS-QUIET",
    Need.ALERTS,
    hint="see to the alerts, then `rackroll resume`; what a move causes itself belongs in policy.alerts.ignore",
    breakable=True,
    passing=lambda _: True,
)
def alerts_are_quiet(facts: Facts) -> Answer:
    """Does any alert fire that the site does not ignore? A server that does not answer is not a quiet one."""
    source = facts.policy.alerts
    if isinstance(facts.alerts, Absent):
        return Verdict.OPEN, facts.alerts.detail
    if isinstance(facts.alerts, Unknown):
        return Verdict.INCONCLUSIVE, facts.alerts.detail
    if source is None:
        return Verdict.OPEN, "no alert source configured"
    firing = [labels for labels in facts.alerts if _blocks(labels, source, facts.node)]
    if firing:
        return Verdict.CLOSED, f"firing: {few(map(_named, firing), '; ')}"
    if source.heartbeat and not _beats(facts.alerts, source.heartbeat):
        text = f"{source.url}: the heartbeat {source.heartbeat} does not fire, so nobody may be watching"
        return Verdict.INCONCLUSIVE, text
    return (
        Verdict.OPEN,
        f"{len(facts.alerts)} alerts fire, all of them to be ignored" if facts.alerts else "quiet",
    )


def _blocks(labels: Mapping[str, str], source: AlertSource, node: str | None) -> bool:
    if source.heartbeat and labels.get("alertname") == source.heartbeat:
        return False
    return not any(ignored(entry, labels, node) for entry in source.ignore)


def _beats(alerts: Alerts, heartbeat: str) -> bool:
    return any(labels.get("alertname") == heartbeat for labels in alerts)


def _named(labels: Mapping[str, str]) -> str:
    told = ", ".join(f"{label}={labels[label]}" for label in _TELLING if label in labels)
    name = labels.get("alertname") or ", ".join(f"{k}={v}" for k, v in sorted(labels.items())) or "a series"
    return f"{name} ({told})" if told and "alertname" in labels else name
