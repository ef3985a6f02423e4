"""Field ownership: an object's fields as paths in ``fieldsV1`` notation, and ``metadata.managedFields``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.kube.objects import Obj
from lab.kube.patch.lists import SETS, key_element, merge_keys

Path = tuple[str, ...]
Fields = dict[Path, Any]

ITEM = object()
"""Value of a path that stands for a list item's existence, not for a value of its own."""

_NOT_OWNED = frozenset(
    ("f:metadata", f"f:{name}")
    for name in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "selfLink",
        "deletionGracePeriodSeconds",
        "managedFields",
        "generateName",
    ]
)
_ATOMIC = frozenset({"selector", "nodeSelector", "labelSelector", "namespaceSelector", "matchLabels"})


def fields_of(obj: Mapping[str, Any], *, merging: bool) -> Fields:
    """Every owned leaf of ``obj`` with its value. ``merging`` False treats all lists as atomic."""
    found: Fields = {}
    for key, value in obj.items():
        if key not in ("apiVersion", "kind"):
            _walk(found, (f"f:{key}",), key, value, merging)
    return {path: value for path, value in found.items() if path[:2] not in _NOT_OWNED}


def _walk(found: Fields, path: Path, field: str, value: Any, merging: bool) -> None:
    if isinstance(value, Mapping) and value and field not in _ATOMIC:
        for key, below in value.items():
            _walk(found, (*path, f"f:{key}"), key, below, merging)
        return
    if merging and isinstance(value, list) and value:
        if field in SETS:
            found.update({(*path, "v:" + json.dumps(item)): item for item in value})
            return
        keys = merge_keys(field, value)
        if keys:
            for item in value:
                place = (*path, key_element(item, keys))
                found[place] = ITEM
                for key, below in item.items():
                    _walk(found, (*place, f"f:{key}"), key, below, merging)
            return
    found[path] = value


@dataclass(frozen=True, slots=True)
class Manager:
    """Who owns: ``operation`` is Apply or Update, ``subresource`` is empty or e.g. ``status``."""

    name: str
    operation: str
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Owned:
    manager: Manager
    api_version: str
    time: str
    paths: frozenset[Path]


def read(obj: Mapping[str, Any] | None) -> dict[Manager, Owned]:
    rows = (obj or {}).get("metadata", {}).get("managedFields") or ()
    found = {}
    for row in rows:
        manager = Manager(row.get("manager", ""), row["operation"], row.get("subresource", ""))
        paths = frozenset(_paths(row.get("fieldsV1") or {}))
        found[manager] = Owned(manager, row.get("apiVersion", ""), row.get("time", ""), paths)
    return found


def write(owned: Iterable[Owned]) -> list[Obj]:
    rows = []
    for one in owned:
        if one.paths:
            row: Obj = {
                "manager": one.manager.name,
                "operation": one.manager.operation,
                "apiVersion": one.api_version,
                "time": one.time,
                "fieldsType": "FieldsV1",
                "fieldsV1": _tree(one.paths),
            }
            rows.append({**row, "subresource": one.manager.subresource} if one.manager.subresource else row)
    return rows


def _paths(tree: Mapping[str, Any], above: Path = ()) -> Iterable[Path]:
    for key, below in tree.items():
        if key == ".":
            yield above
        elif below:
            yield from _paths(below, (*above, key))
        else:
            yield (*above, key)


def _tree(paths: Iterable[Path]) -> Obj:
    root: Obj = {}
    for path in sorted(paths):
        at = root
        for part in path:
            at = at.setdefault(part, {})
        if path[-1].startswith("k:"):
            at["."] = {}
    return root


def printed(path: Path) -> str:
    """``.spec.containers[name="a"].image``, as conflict messages show it."""
    text = ""
    for part in path:
        kind, rest = part[0], part[2:]
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            pairs = (f"{k}={json.dumps(v)}" for k, v in json.loads(rest).items())
            text += f"[{','.join(pairs)}]"
        else:
            text += f"[={rest}]"
    return text
