"""Tables as ``kubectl get`` shows them: columns per kind, age in kubectl's short form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from lab.kube.api.columns import COLUMNS, Column
from lab.kube.api.durations import duration
from lab.kube.objects import Obj, lookup, name_of, parse_time
from lab.kube.resource import Resource

Cell = str | int | bool | None


def table(resource: Resource, rows: list[Obj], version: str, include: str, now: datetime) -> Obj:
    """A ``meta.k8s.io/v1`` Table. ``include`` is None, Metadata or Object, as in ``includeObject``."""
    columns = COLUMNS.get((resource.group, resource.kind)) or _custom(resource)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version} if version else {},
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": [
            {"cells": [column.cell(row, now) for column in columns], "object": _shown(row, include)}
            for row in rows
        ],
    }


def _definition(column: Column) -> Obj:
    kind = {"name": "name"}.get(column.name.lower(), "")
    return {
        "name": column.name,
        "type": column.type,
        "format": kind,
        "description": column.name,
        "priority": column.priority,
    }


def _shown(row: Obj, include: str) -> Obj | None:
    if include == "None":
        return None
    if include == "Object":
        return row
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": row["metadata"]}


def _custom(resource: Resource) -> tuple[Column, ...]:
    """Name, the CRD's additionalPrinterColumns, and Age where the CRD says nothing at all."""
    first = (Column("Name", lambda obj, _now: name_of(obj)),)
    if not resource.columns:
        return (*first, Column("Age", _age))
    more = (Column(n, _at(path, kind), kind, priority) for n, kind, path, priority in resource.columns)
    return (*first, *more)


def _at(path: str, kind: str) -> Callable[[Obj, datetime], Cell]:
    steps = _steps(path)

    def cell(obj: Obj, now: datetime) -> Cell:
        value = _resolve(obj, steps)
        if kind == "date" and isinstance(value, str):
            return duration((now - parse_time(value)).total_seconds())
        if value is None or isinstance(value, str | int | bool):
            return value
        return str(value)

    return cell


def _steps(path: str) -> list[str]:
    return re.findall(r"\[\?\(@\.[^)]*\)\]|\[[^\]]*\]|[^.\[\]]+", path)


def _resolve(value: Any, steps: list[str]) -> Any:
    """JSONPath as far as printer columns use it: ``.a.b``, ``[0]``, ``[*]``, ``[?(@.type=="Ready")]``."""
    for step in steps:
        if value is None:
            return None
        if step.startswith("[?"):
            found = re.match(r'\[\?\(@\.(\w+)\s*==\s*["\'](.*?)["\']\)\]', step)
            rows = [i for i in value if found and str(i.get(found[1])) == found[2]] if found else []
            value = rows[0] if rows else None
        elif step.startswith("["):
            index = step[1:-1].strip("'\"")
            value = _index(value, index)
        elif isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list):
            value = ",".join(str(item.get(step)) for item in value if isinstance(item, Mapping))
        else:
            return None
    return value


def _index(value: Any, index: str) -> Any:
    if index == "*":
        return value
    if isinstance(value, list):
        return value[int(index)] if index.lstrip("-").isdigit() and int(index) < len(value) else None
    return lookup(value, index)


def _age(obj: Obj, now: datetime) -> str:
    return duration((now - parse_time(obj["metadata"]["creationTimestamp"])).total_seconds())
