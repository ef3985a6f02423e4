"""Windows and freezes as time. Windows are wall-clock times of their own zone; a freeze beats every window. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from rollout.model.policy import Freeze, Policy, Window

Span = tuple[datetime, datetime]
_WEEK = 8
"""Days ahead in which the next start of a weekly window lies, whatever the hour is now."""


def frozen(policy: Policy, now: datetime) -> Freeze | None:
    """The freeze that is on; the one that ends last where several are."""
    on = [freeze for freeze in policy.freezes if freeze.start <= now < freeze.end]
    return max(on, key=lambda freeze: freeze.end, default=None)


def open_now(policy: Policy, now: datetime) -> bool:
    return frozen(policy, now) is None and _in_window(policy, now)


def opens_next(policy: Policy, now: datetime) -> datetime | None:
    """The first moment from ``now`` on at which something may be taken away; None if there is none."""
    moment = now
    for _ in range(2 * len(policy.freezes) + 3):
        freeze = frozen(policy, moment)
        if freeze is not None:
            moment = freeze.end
        elif _in_window(policy, moment):
            return moment
        else:
            later = [start for start, _ in _spans(policy, moment) if start > moment]
            if not later:
                return None
            moment = min(later)
    return None


def closes(policy: Policy, now: datetime) -> datetime | None:
    """When what is open now closes: the end of its window (of windows that touch: the last), or a freeze."""
    ends = [freeze.start for freeze in policy.freezes if freeze.start > now]
    if policy.windows:
        end = now
        for start, stop in sorted(_spans(policy, now)):
            if start <= end:
                end = max(end, stop)
        ends.append(end)
    return min(ends, default=None)


def shown(moment: datetime, policy: Policy) -> str:
    """In the site's own zone, which people who are on duty live in; UTC for a site without windows."""
    zone = ZoneInfo(policy.windows[0].timezone) if policy.windows else UTC
    return moment.astimezone(zone).strftime("%a %Y-%m-%d %H:%M %Z")


def _in_window(policy: Policy, now: datetime) -> bool:
    return not policy.windows or any(start <= now < end for start, end in _spans(policy, now))


def _spans(policy: Policy, around: datetime) -> Iterator[Span]:
    for window in policy.windows:
        yield from _occurrences(window, around)


def _occurrences(window: Window, around: datetime) -> Iterator[Span]:
    """In UTC. A start that a change to summer time skips begins when the clock has gone on; lengths are real time."""
    zone = ZoneInfo(window.timezone)
    today = around.astimezone(zone).date()
    for offset in range(-window.duration.days - 1, _WEEK + 1):
        day = today + timedelta(days=offset)
        if day.isoweekday() in window.days:
            start = datetime.combine(day, window.start, zone).astimezone(UTC)
            yield start, start + window.duration
