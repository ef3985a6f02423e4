"""Plain-dict Kubernetes objects, treated as immutable: every change here returns a new object.

Only the containers on the way to the changed field are copied, so reading never costs a deep copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

Obj = dict[str, Any]


def name_of(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"]["name"])


def namespace_of(obj: Mapping[str, Any]) -> str | None:
    found = obj["metadata"].get("namespace")
    return str(found) if found else None


def uid_of(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"]["uid"])


def labels_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return obj.get("metadata", {}).get("labels") or {}


def annotations_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return obj.get("metadata", {}).get("annotations") or {}


def is_terminating(obj: Mapping[str, Any]) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def spec_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    return obj.get("spec") or {}


def status_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    return obj.get("status") or {}


def lookup(obj: Any, *path: str) -> Any:
    """The value at ``path``, or None where any part of the way is missing."""
    for part in path:
        if not isinstance(obj, Mapping):
            return None
        obj = obj.get(part)
    return obj


def with_value(obj: Mapping[str, Any], path: tuple[str, ...], value: Any) -> Obj:
    """A copy of ``obj`` with ``value`` at ``path``; None removes the field."""
    head, rest = path[0], path[1:]
    new = dict(obj)
    if rest:
        below = obj.get(head)
        new[head] = with_value(below if isinstance(below, Mapping) else {}, rest, value)
    elif value is None:
        new.pop(head, None)
    else:
        new[head] = value
    return new


def with_meta(obj: Mapping[str, Any], **fields: Any) -> Obj:
    """A copy with these metadata fields; None removes one."""
    new = dict(obj)
    meta = dict(obj.get("metadata") or {})
    for key, value in fields.items():
        if value is None:
            meta.pop(key, None)
        else:
            meta[key] = value
    new["metadata"] = meta
    return new


def without_nulls(value: Any) -> Any:
    """``value`` with every null field left out, as if the client had never written it."""
    if isinstance(value, Mapping):
        return {key: without_nulls(below) for key, below in value.items() if below is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386 JSON merge patch, without touching ``target``."""
    if not isinstance(patch, Mapping):
        return patch
    base = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = merged(base.get(key), value)
    return base


def controller_of(obj: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The ownerReference with ``controller: true``, if there is one."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((o for o in owners if o.get("controller")), None)


def owner_reference(owner: Mapping[str, Any]) -> Obj:
    """A controller reference to ``owner``, as every built-in controller writes it."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(obj: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    return next((c for c in status_of(obj).get("conditions") or () if c["type"] == kind), None)


def is_true(obj: Mapping[str, Any], kind: str) -> bool:
    found = condition(obj, kind)
    return found is not None and found["status"] == "True"


def with_condition(conditions: Iterable[Mapping[str, Any]], new: Mapping[str, Any]) -> list[Obj]:
    """``conditions`` with ``new`` in its type's place; its transition time stays while its status stays."""
    rows = [dict(c) for c in conditions]
    for index, old in enumerate(rows):
        if old["type"] == new["type"]:
            same = old["status"] == new["status"] and "lastTransitionTime" in old
            keep = {"lastTransitionTime": old["lastTransitionTime"]} if same else {}
            rows[index] = {**new, **keep}
            return rows
    return [*rows, dict(new)]


def timestamp(moment: datetime) -> str:
    """RFC 3339 in whole seconds UTC, as ``metav1.Time`` prints it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(moment: datetime) -> str:
    """RFC 3339 with microseconds, as ``metav1.MicroTime`` (Leases) prints it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
