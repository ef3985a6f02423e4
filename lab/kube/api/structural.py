"""Custom resources held to the schema of their definition: what it does not know is dropped, what it says is checked.

Types, required fields, enums, bounds, patterns and defaults. Not here: CEL rules, and oneOf, anyOf and not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.kube.errors import invalid
from lab.kube.objects import Obj
from lab.kube.resource import Resource

Schema = Mapping[str, Any]
_ROOT = frozenset({"apiVersion", "kind", "metadata"})
_PRESERVE, _EMBEDDED = "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


@dataclass(slots=True)
class Pruned:
    """``value`` without what the schema does not have, and with its defaults."""

    value: Any
    unknown: list[str] = field(default_factory=list)


def prune(resource: Resource, obj: Obj) -> Pruned:
    found = Pruned(obj)
    if resource.schema is not None:
        found.value = _object(resource.schema, obj, "", found, _ROOT)
    return found


def check(resource: Resource, obj: Obj) -> None:
    """Raises Invalid with every cause."""
    causes = [] if resource.schema is None else list(_causes(resource.schema, obj, ""))
    if causes:
        raise invalid(resource.kind, obj["metadata"].get("name", ""), causes)


def _pruned(schema: Schema, value: Any, path: str, found: Pruned) -> Any:
    if isinstance(value, dict):
        return _object(schema, value, path, found, _ROOT if schema.get(_EMBEDDED) else frozenset())
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        return [_pruned(schema["items"], item, f"{path}[{index}]", found) for index, item in enumerate(value)]
    return value


def _object(schema: Schema, value: Obj, path: str, found: Pruned, known: frozenset[str]) -> Obj:
    properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
    new: Obj = {}
    for name, below in value.items():
        place = f"{path}.{name}" if path else name
        if name in known and (name == "metadata" or name not in properties):
            new[name] = below
        elif name in properties:
            new[name] = _pruned(properties[name], below, place, found)
        elif isinstance(more, Mapping):
            new[name] = _pruned(more, below, place, found)
        elif more or schema.get(_PRESERVE):
            new[name] = below
        else:
            found.unknown.append(place)
    for name, child in properties.items():
        if name not in new and "default" in child:
            new[name] = _pruned(child, child["default"], "", Pruned(None))
    return new


def _causes(schema: Schema, value: Any, path: str) -> Iterator[tuple[str, str]]:
    wrong = _mistyped(schema, value)
    if wrong:
        yield (
            path,
            f'Invalid value: "{_kind(value)}": {path} in body must be of type {wrong}: "{_kind(value)}"',
        )
        return
    yield from _of_value(schema, value, path)
    if isinstance(value, dict):
        yield from _of_object(schema, value, path)
    elif isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for index, item in enumerate(value):
            yield from _causes(schema["items"], item, f"{path}[{index}]")


def _of_object(schema: Schema, value: Obj, path: str) -> Iterator[tuple[str, str]]:
    properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
    for name in schema.get("required") or ():
        if name not in value:
            yield f"{path}.{name}".lstrip("."), "Required value"
    for name, below in value.items():
        place = f"{path}.{name}".lstrip(".")
        child = properties.get(name, more if isinstance(more, Mapping) else None)
        if child is not None and not (path == "" and name in _ROOT):
            yield from _causes(child, below, place)


def _of_value(schema: Schema, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if "enum" in schema and value not in schema["enum"]:
        named = ", ".join(f'"{one}"' for one in schema["enum"])
        yield path, f'Unsupported value: "{value}": supported values: {named}'
    told = f"Invalid value: {value!r}: {path} in body should"
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        yield path, f"{told} match '{schema['pattern']}'"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and value < schema.get("minimum", value):
        yield path, f"{told} be greater than or equal to {schema['minimum']}"
    if number and value > schema.get("maximum", value):
        yield path, f"{told} be less than or equal to {schema['maximum']}"
    if isinstance(value, str | list):
        unit = "Items" if isinstance(value, list) else "Length"
        if len(value) < schema.get(f"min{unit}", 0):
            yield path, f"{told} have at least {schema[f'min{unit}']}"
        if len(value) > schema.get(f"max{unit}", len(value)):
            yield path, f"{told} have at most {schema[f'max{unit}']}"


def _mistyped(schema: Schema, value: Any) -> str:
    """The type that it should have and has not; empty if all is well."""
    if value is None and schema.get("nullable"):
        return ""
    if schema.get("x-kubernetes-int-or-string"):
        return "" if _fits("integer", value) or isinstance(value, str) else "integer,string"
    wanted = str(schema.get("type", ""))
    return "" if not wanted or _fits(wanted, value) else wanted


def _fits(wanted: str, value: Any) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    return isinstance(value, _TYPES.get(wanted, (object,)))


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return next(name for name in _TYPES if _fits(name, value))
