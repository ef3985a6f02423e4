"""The small types of the ``policy`` section: weekdays, hours, moments, zones, shares. Same manner as the scalars."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from rollout.model.policy import Purpose
from rollout.site.scalars import refusal, shown

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOUR = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}\Z")
_NUMBER = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4})?\Z")
_PERCENT = re.compile(r"([0-9]{1,3})%\Z")
_DAYS = re.compile(r"([0-9]{1,4})d\Z")
_YEARS = range(2000, 2200)
"""Arithmetic on dates near the calendar's end overflows; nobody plans a freeze for then."""


def _weekday(value: Any) -> int:
    """ISO: Monday is 1."""
    if isinstance(value, str) and value.lower() in DAYS:
        return DAYS.index(value.lower()) + 1
    raise refusal(f"is {shown(value)}", "one of: " + ", ".join(DAYS))


def _hour(value: Any) -> time:
    found = _HOUR.match(value) if isinstance(value, str) else None
    if found is None:
        raise refusal(f"is {shown(value)}", "a time of day such as 22:00")
    return time(int(found[1]), int(found[2]))


def _moment(value: Any) -> datetime:
    """The zone is part of it: a freeze that begins at somebody else's midnight is an hour early or late."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or found.year not in _YEARS:
        raise refusal(f"is {shown(value)}", "date, time and offset, such as 2026-12-20T00:00+01:00")
    return found


def _zone(value: Any) -> str:
    if isinstance(value, str) and _ZONE.match(value):
        try:
            return ZoneInfo(value).key
        except (ValueError, OSError, KeyError):
            pass
    expected = "a time zone that this machine knows, such as Europe/Berlin or UTC (package tzdata)"
    raise refusal(f"is {shown(value)}", expected)


def _number(value: Any) -> float | None:
    """The reader leaves fractions as text: a version that became 1.3 would install the wrong one."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return float(value) if _NUMBER.match(str(value)) else None


def _share(value: Any) -> float:
    percent = _PERCENT.match(value) if isinstance(value, str) else None
    found = int(percent[1]) / 100 if percent else _number(value)
    if found is None or not 0 < found <= 1:
        raise refusal(f"is {shown(value)}", "a share such as 70% or 0.7, above 0 and at most 100%")
    return found


def _growth(value: Any) -> float:
    found = _number(value)
    if found is None or not 1 <= found <= 100:
        raise refusal(f"is {shown(value)}", "a factor from 1 to 100, such as 2 or 1.5")
    return found


def _days(value: Any) -> timedelta:
    found = _DAYS.match(value) if isinstance(value, str) else None
    if found is None or int(found[1]) == 0:
        raise refusal(f"is {shown(value)}", "days, such as 90d")
    return timedelta(days=int(found[1]))


def _purpose(value: Any) -> Purpose:
    if isinstance(value, str) and value in {purpose.value for purpose in Purpose}:
        return Purpose(value)
    raise refusal(f"is {shown(value)}", "one of: " + ", ".join(purpose.value for purpose in Purpose))


def _images(value: Any) -> bool:
    if value in ("required", "off"):
        return bool(value == "required")
    raise refusal(f"is {shown(value)}", "required or off")


def _of(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


Weekday = Annotated[
    int,
    PlainValidator(_weekday),
    PlainSerializer(lambda day: DAYS[day - 1], return_type=str),
    WithJsonSchema({"enum": list(DAYS)}),
]
Hour = Annotated[
    time,
    PlainValidator(_hour),
    PlainSerializer(lambda hour: hour.strftime("%H:%M"), return_type=str),
    _of("^([01][0-9]|2[0-3]):[0-5][0-9]$"),
]
Moment = Annotated[
    datetime,
    PlainValidator(_moment),
    PlainSerializer(datetime.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Zone = Annotated[str, PlainValidator(_zone), WithJsonSchema({"type": "string", "minLength": 1})]
Share = Annotated[
    float,
    PlainValidator(_share),
    PlainSerializer(lambda share: f"{share:.0%}", return_type=str),
    WithJsonSchema({"type": ["string", "number"]}),
]
Growth = Annotated[
    float, PlainValidator(_growth), WithJsonSchema({"type": "number", "minimum": 1, "maximum": 100})
]
Days = Annotated[
    timedelta,
    PlainValidator(_days),
    PlainSerializer(lambda days: f"{days.days}d", return_type=str),
    _of("^[0-9]{1,4}d$"),
]
For = Annotated[
    Purpose, PlainValidator(_purpose), WithJsonSchema({"enum": [purpose.value for purpose in Purpose]})
]
Images = Annotated[
    bool,
    PlainValidator(_images),
    PlainSerializer(lambda needed: "required" if needed else "off", return_type=str),
    WithJsonSchema({"enum": ["required", "off"]}),
]
