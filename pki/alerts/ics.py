"""The calendar as an iCalendar file (RFC 5545): one event for each threshold of each certificate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from pki.alerts.due import THRESHOLDS, Tier, Watched

_WIDTH = 75
"""Octets in a line; longer ones are folded (RFC 5545 §3.1)."""


def ics(found: Iterable[Watched], now: datetime) -> str:
    """Stable UIDs: importing a newer file moves the events that are there already instead of doubling them."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//rackroll//pki//EN", "CALSCALE:GREGORIAN"]
    for one in found:
        for word, moment in _moments(one):
            lines += _event(one, word, moment, now)
    return "".join(f"{folded}\r\n" for line in [*lines, "END:VCALENDAR"] for folded in _folded(line))


def _moments(one: Watched) -> Iterator[tuple[str, datetime]]:
    limits = THRESHOLDS[one.tier]
    if limits.warning is not None:
        yield "warning", one.reaches(limits.warning)
    yield "critical", one.reaches(limits.critical)
    yield "expired", one.ends


_SAYS = {
    "warning": "{name}: half of its life is left, plan its rotation",
    "critical": "{name}: a quarter of its life is left, rotate it now",
    "expired": "{name} expires",
}


def _event(one: Watched, word: str, moment: datetime, now: datetime) -> list[str]:
    about = f"Owner: {one.owner}\nCertificate: {one.certificate.subject.rfc4514_string()}\nSHA-256: {one.fingerprint}"
    summary = f"{one.site}: {_SAYS[word].format(name=one.name)}"
    return [
        "BEGIN:VEVENT",
        f"UID:{one.fingerprint}-{word}@rackroll",
        f"DTSTAMP:{_utc(now)}",
        f"DTSTART:{_utc(moment)}",
        "DURATION:PT1H",
        f"SUMMARY:{_escaped(summary)}",
        f"DESCRIPTION:{_escaped(about)}",
        f"CONTACT:{_escaped(one.owner)}",
        f"CATEGORIES:{'PKI' if one.tier is not Tier.LEAF else 'PKI-LEAF'}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(text: str) -> str:
    """RFC 5545 §3.3.11."""
    for old, new in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(old, new)
    return "".join(each for each in text if each >= " ")


def _folded(line: str) -> Iterator[str]:
    """By octets, never inside a character; a line that goes on begins with a space."""
    part = ""
    for each in line:
        if len((part + each).encode()) > _WIDTH:
            yield part
            part = " "
        part += each
    yield part
