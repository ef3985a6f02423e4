"""The small types of a site file: each turns YAML text into a model value or says what would be right.

Built as plain functions so that the messages are ours, not pydantic's, and each type is one line in the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address, ip_interface
from typing import Annotated, Any, TypeVar

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from rollout.model.mesh import ChartValues
from rollout.model.site import Address, Network, SwitchPlatform

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h)\Z")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours"}
_SYSCTL = re.compile(r"[a-z0-9_]+(\.[A-Za-z0-9_*-]+)+\Z")


def refusal(what: str, expected: str) -> PydanticCustomError:
    """The one error that our types raise: what is wrong, and what would be right."""
    return PydanticCustomError("site", "{what}", {"what": what, "expected": expected})


def shown(value: Any) -> str:
    """A value in a message: short, and never a page of it."""
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return "true" if value else "false"
    text = str(value)
    return f"'{text}'" if len(text) <= 60 else f"'{text[:57]}...'"


def text(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise refusal(f"is {shown(value)}", "text")


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise refusal(f"is {shown(value)}", "true or false")


def _whole(lowest: int, highest: int) -> Callable[[Any], int]:
    def whole(value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        raise refusal(f"is {shown(value)}", f"a whole number from {lowest} to {highest}")

    return whole


def _named(pattern: re.Pattern[str], longest: int, expected: str) -> Callable[[Any], str]:
    def named(value: Any) -> str:
        name = text(value)
        if pattern.match(name) and len(name) <= longest:
            return name
        raise refusal(f"is {shown(value)}", expected)

    return named


def _address(value: Any) -> Address:
    try:
        if isinstance(value, str):
            found = ip_address(value)
            if not (found.is_unspecified or found.is_multicast or getattr(found, "scope_id", None)):
                return found
    except ValueError:
        pass
    raise refusal(f"is {shown(value)}", "one unicast IP address such as 192.0.2.10 or 2001:db8::10")


def _network(value: Any) -> Network:
    try:
        written = ip_interface(value) if isinstance(value, str) and "/" in value else None
    except ValueError:
        written = None
    if written is None:
        raise refusal(f"is {shown(value)}", "a prefix such as 203.0.113.0/28 or 2001:db8:1::/64")
    if written.ip != written.network.network_address:
        raise refusal(f"is {shown(value)}, which has host bits set", f"the prefix itself: {written.network}")
    return written.network


def _host(value: Any) -> str:
    name = text(value)
    if re.fullmatch(r"[0-9.]+", name) or ":" in name:
        return str(_address(value))
    if _SUBDOMAIN.match(name.lower()) and len(name) <= 253:
        return name
    raise refusal(f"is {shown(value)}", "an IP address or a host name")


def _duration(value: Any) -> timedelta:
    found = _DURATION.match(value) if isinstance(value, str) else None
    if found is None:
        raise refusal(f"is {shown(value)}", "a number with its unit: 1500ms, 2s, 1m or 1h")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def spelled(value: timedelta) -> str:
    """As a site file says it: the longest unit that loses nothing."""
    for unit in ("h", "m", "s"):
        if value % timedelta(**{_UNITS[unit]: 1}) == timedelta(0):
            return f"{value // timedelta(**{_UNITS[unit]: 1})}{unit}"
    return f"{value // timedelta(milliseconds=1)}ms"


def choice(kind: type[E]) -> Callable[[Any], E]:
    def chosen(value: Any) -> E:
        if isinstance(value, str) and value in {member.value for member in kind}:
            return kind(value)
        raise refusal(f"is {shown(value)}", "one of: " + ", ".join(member.value for member in kind))

    return chosen


def _sysctls(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise refusal(f"is {shown(value)}", "a mapping of sysctl names to values")
    for key, setting in value.items():
        if not _SYSCTL.match(key):
            raise refusal(f"has the key {shown(key)}", "sysctl names with dots, such as net.core.somaxconn")
        if isinstance(setting, bool) or not isinstance(setting, int | str) or "\n" in str(setting):
            raise refusal(f"sets {key} to {shown(setting)}", 'a number, or text such as "1024 65535"')
    return tuple((key, " ".join(str(setting).split())) for key, setting in value.items())


def _argument(value: Any) -> str:
    found = text(value)
    if "\n" in found or "\x00" in found:
        raise refusal(f"is {shown(value)}", "one argument on one line")
    return found


def _values(value: Any) -> tuple[ChartValues, ...]:
    """Kept as JSON text: frozen like the rest of the model, with keys in an order of our own."""
    if not isinstance(value, dict):
        raise refusal(f"is {shown(value)}", "a mapping of chart names to their values")
    for chart, values in value.items():
        if not isinstance(values, dict):
            raise refusal(
                f"has {shown(values)} for the chart {shown(chart)}", "a mapping of the chart's values"
            )
    return tuple(
        ChartValues(chart, json.dumps(values, sort_keys=True)) for chart, values in sorted(value.items())
    )


def _as_written(values: tuple[ChartValues, ...]) -> dict[str, Any]:
    return {each.chart: json.loads(each.text) for each in values}


def _servers(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 3 <= value <= 9 and value % 2:
        return value
    raise refusal(
        f"is {shown(value)}", "3, 5, 7 or 9: with one server away the others must still be a majority"
    )


_TEXT = WithJsonSchema({"type": "string", "minLength": 1})
_IP = WithJsonSchema({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]})
_NAME = WithJsonSchema({"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"})
_RFC1123 = "a name of at most {n} lower-case letters, digits and '-'{dot}, starting and ending with a letter or digit"

Argument = Annotated[str, PlainValidator(_argument), _TEXT]
Servers = Annotated[int, PlainValidator(_servers), WithJsonSchema({"enum": [3, 5, 7, 9]})]
Values = Annotated[
    tuple[ChartValues, ...],
    PlainValidator(_values),
    PlainSerializer(_as_written, return_type=dict[str, Any]),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "object"}}),
]
Text = Annotated[str, PlainValidator(text), _TEXT]
Flag = Annotated[bool, PlainValidator(_flag), WithJsonSchema({"type": "boolean"})]
Label = Annotated[str, PlainValidator(_named(_LABEL, 63, _RFC1123.format(n=63, dot=""))), _NAME]
Release = Annotated[
    str, PlainValidator(_named(_LABEL, 53, _RFC1123.format(n=53, dot="") + " (Helm's limit)")), _NAME
]
NodeName = Annotated[str, PlainValidator(_named(_SUBDOMAIN, 63, _RFC1123.format(n=63, dot=" or '.'"))), _TEXT]
DnsName = Annotated[str, PlainValidator(_named(_SUBDOMAIN, 253, "a DNS name such as cluster.local")), _TEXT]
LabelKey = Annotated[
    str, PlainValidator(_named(_LABEL_KEY, 317, "a label key such as rackroll.io/rack")), _TEXT
]
IpAddress = Annotated[Address, PlainValidator(_address), _IP]
Prefix = Annotated[Network, PlainValidator(_network), _TEXT]
Host = Annotated[str, PlainValidator(_host), _TEXT]
Duration = Annotated[
    timedelta,
    PlainValidator(_duration),
    PlainSerializer(spelled, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"}),
]
Platform = Annotated[
    SwitchPlatform,
    PlainValidator(choice(SwitchPlatform)),
    WithJsonSchema({"enum": [platform.value for platform in SwitchPlatform]}),
]
Sysctls = Annotated[
    tuple[tuple[str, str], ...],
    PlainValidator(_sysctls),
    PlainSerializer(dict, return_type=dict[str, str]),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "integer"]}}),
]


def _from(lowest: int, highest: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "integer", "minimum": lowest, "maximum": highest})


Port = Annotated[int, PlainValidator(_whole(1, 65535)), _from(1, 65535)]
Asn = Annotated[int, PlainValidator(_whole(1, 4294967295)), _from(1, 4294967295)]
Multiplier = Annotated[int, PlainValidator(_whole(2, 255)), _from(2, 255)]
Updates = Annotated[int, PlainValidator(_whole(-1, 1000)), _from(-1, 1000)]
Paths = Annotated[int, PlainValidator(_whole(1, 256)), _from(1, 256)]
Prefixes = Annotated[int, PlainValidator(_whole(1, 1000000)), _from(1, 1000000)]
Count = Annotated[int, PlainValidator(_whole(1, 10000)), _from(1, 10000)]
People = Annotated[int, PlainValidator(_whole(1, 20)), _from(1, 20)]
Samples = Annotated[int, PlainValidator(_whole(0, 1000000)), _from(0, 1000000)]
