"""Canonical JSON of frozen dataclasses, the ground for ids and digests: same value, same bytes, same hash."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PurePath
from typing import Any

_AS_TEXT = (IPv4Address, IPv6Address, IPv4Network, IPv6Network, PurePath)


def plain(value: Any) -> Any:
    """JSON-ready. A dataclass becomes its fields, a duration its seconds with the unit, a set a sorted list."""
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return value.value
        case str():
            return value
        case timedelta():
            return f"{value / timedelta(seconds=1):g}s"
        case _ if isinstance(value, _AS_TEXT):
            return str(value)
        case _ if dataclasses.is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case frozenset():
            return sorted(plain(item) for item in value)
        case tuple() | list():
            return [plain(item) for item in value]
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
    raise TypeError(f"no canonical form for {type(value).__name__}")


def canonical(value: Any) -> str:
    """One line, keys sorted, no spaces: only hashes read this."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()
