"""The built-in types' fields, so that a misspelt or mistyped one is refused here as the real API would.

The schema is that of the official client's generated models: what it knows is Kubernetes of its own minor.
Custom resources have the schema of their definition; kinds that neither knows are let through unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

from lab.kube.api import structural
from lab.kube.objects import Obj
from lab.kube.resource import Resource

_QUANTITIES = frozenset({"limits", "requests", "capacity", "allocatable", "overhead", "hard", "used"})
_SPECIAL = {("", "Event"): "CoreV1Event", ("events.k8s.io", "Event"): "EventsV1Event"}
_SCALARS: Mapping[str, tuple[Callable[[Any], bool], str]] = MappingProxyType(
    {
        "str": (lambda value: isinstance(value, str), "string"),
        "datetime": (lambda value: isinstance(value, str), "string"),
        "bool": (lambda value: isinstance(value, bool), "bool"),
        "int": (lambda value: isinstance(value, int) and not isinstance(value, bool), "int"),
        "float": (lambda value: isinstance(value, int | float), "float64"),
    }
)


@dataclass(slots=True)
class Decoded:
    """``obj`` without the fields that its type does not have; ``unknown`` and ``mistyped`` name what was wrong."""

    obj: Obj
    unknown: list[str] = field(default_factory=list)
    mistyped: list[str] = field(default_factory=list)


def decode(resource: Resource, obj: Obj) -> Decoded:
    if resource.schema is not None:
        pruned = structural.prune(resource, obj)
        return Decoded(pruned.value, pruned.unknown)
    name = _SPECIAL.get((resource.group, resource.kind), f"{resource.version.upper()}{resource.kind}")
    found = Decoded(obj)
    if _fields(name):
        found.obj = _struct(name, obj, "", found)
    return found


def warm() -> None:
    """Import the models (half a second) before the first request needs them."""
    _fields("V1Pod")


@cache
def _fields(name: str) -> Mapping[str, str]:
    """JSON name -> type in the models' notation; empty for a type they do not have."""
    from kubernetes.client import models

    model = getattr(models, name, None)
    if model is None:
        return {}
    return {model.attribute_map[attribute]: kind for attribute, kind in model.openapi_types.items()}


def _struct(name: str, value: Mapping[str, Any], path: str, found: Decoded) -> Obj:
    fields = _fields(name)
    new: Obj = {}
    for key, below in value.items():
        place = f"{path}.{key}" if path else key
        kind = fields.get(key)
        if kind is None:
            found.unknown.append(place)
        elif below is not None:
            new[key] = _value(kind, key, below, place, found)
    return new


def _value(kind: str, key: str, value: Any, path: str, found: Decoded) -> Any:
    if kind.startswith("list["):
        return _list(kind[5:-1], key, value, path, found)
    entry = re.fullmatch(r"dict\(str, (.*)\)", kind)
    if entry:
        return _map(entry[1], key, value, path, found)
    if kind in _SCALARS:
        fits, wanted = _SCALARS[kind]
        if not fits(value):
            found.mistyped.append(_told(value, path, wanted))
        return value
    if not _fields(kind):
        return value
    if not isinstance(value, Mapping):
        found.mistyped.append(_told(value, path, kind))
        return value
    return _struct(kind, value, path, found)


def _list(kind: str, key: str, value: Any, path: str, found: Decoded) -> Any:
    if not isinstance(value, list):
        found.mistyped.append(_told(value, path, f"[]{kind}"))
        return value
    return [_value(kind, key, item, f"{path}[{index}]", found) for index, item in enumerate(value)]


def _map(kind: str, key: str, value: Any, path: str, found: Decoded) -> Any:
    if not isinstance(value, Mapping):
        found.mistyped.append(_told(value, path, f"map[string]{kind}"))
        return value
    if key in _QUANTITIES:
        return dict(value)
    return {name: _value(kind, name, below, f"{path}.{name}", found) for name, below in value.items()}


def _told(value: Any, path: str, wanted: str) -> str:
    names = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    given = next((word for kind, word in names.items() if isinstance(value, kind)), "null")
    return f"json: cannot unmarshal {given} into field {path} of type {wanted}"
