"""Plan <-> JSON. The file is for people to review and for ``apply`` to trust: an edited one no longer fits its id."""

from __future__ import annotations

import json
from dataclasses import is_dataclass, replace
from datetime import timedelta
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from rollout.errors import RackrollError
from rollout.model.plan import Plan
from rollout.model.step import Effect, Step
from rollout.planner.canonical import field_names, plain, sha256_of
from rollout.planner.refuse import refuse

FORMAT: Final = "rackroll/plan/v3"
_EFFECTS = MappingProxyType({effect.__name__: effect for effect in get_args(Effect)})


def dump(plan: Plan) -> str:
    """Indented JSON with the format's name first; :func:`load` of it gives the same value."""
    return json.dumps(to_document(plan), indent=1, ensure_ascii=False) + "\n"


def to_document(plan: Plan) -> dict[str, Any]:
    """The same as :func:`dump` before it becomes text, for output as JSON or YAML."""
    return {"format": FORMAT, **_encoded(plan)}


def read_plan(path: Path) -> Plan:
    """:func:`load` from a file; RackrollError when it cannot be read, for that is no rule's refusal."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        hint = "name the file that `rackroll plan ... --out` wrote"
        raise RackrollError(f"cannot read the plan: {reason}", where=str(path), hint=hint) from None
    return load(text, str(path))


def load(text: str, where: str = "plan") -> Plan:
    """Raises PlanRefused: PLAN-FORMAT-01 for what is no plan of ours, PLAN-EDITED-01 if the id does not fit."""
    try:
        raw = json.loads(text)
        if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        plan = _decode(Plan, raw, "plan")
    except (ValueError, RecursionError) as error:
        fix = "make the plan again with `rackroll plan ... --out`"
        raise refuse("PLAN-FORMAT-01", f"not a rackroll plan: {error}", where=where, fix=fix) from None
    assert isinstance(plan, Plan)
    found = content_id(plan)
    if found != plan.id:
        numbers = f"the file says {plan.id[:12]}, its content hashes to {found[:12]}"
        raise refuse(
            "PLAN-EDITED-01", numbers, where=where, fix="make a new plan instead of editing this one"
        )
    return plan


def content_id(plan: Plan) -> str:
    """SHA-256 of the canonical JSON without the id itself."""
    return sha256_of(to_document(replace(plan, id="")))


def _encoded(plan: Plan) -> dict[str, Any]:
    encoded = _tagged(plan)
    assert isinstance(encoded, dict)
    return encoded


def _tagged(value: Any) -> Any:
    """As :func:`plain`, but each effect carries its name: a Cordon and an Uncordon have the same fields."""
    if isinstance(value, Step):
        effect = {"do": type(value.effect).__name__, **plain(value.effect)}
        return {"key": value.key, "effect": effect, "gates": list(value.gates), "node": value.node}
    kind: Any = type(value)
    names = field_names(kind)
    if names:
        return {name: _tagged(getattr(value, name)) for name in names}
    if isinstance(value, tuple):
        return [_tagged(item) for item in value]
    return plain(value)


def _decode(kind: Any, raw: Any, path: str) -> Any:
    if kind == Effect:
        return _effect(raw, path)
    if get_origin(kind) is UnionType:
        return _optional(kind, raw, path)
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        return tuple(_decode(item, each, f"{path}[{i}]") for i, each in enumerate(_expect(list, raw, path)))
    if is_dataclass(kind) and isinstance(kind, type):
        return _record(kind, _expect(dict, raw, path), path)
    if kind is timedelta:
        return _duration(_expect(str, raw, path), path)
    if issubclass(kind, Enum):
        return kind(raw)
    return _expect(kind, raw, path)


def _effect(raw: Any, path: str) -> Any:
    body = dict(_expect(dict, raw, path))
    name = body.pop("do", None)
    if name not in _EFFECTS:
        raise ValueError(f"{path}: unknown effect {name!r}")
    return _record(_EFFECTS[name], body, path)


def _optional(kind: Any, raw: Any, path: str) -> Any:
    if raw is None and NoneType in get_args(kind):
        return None
    return _decode(next(k for k in get_args(kind) if k is not NoneType), raw, path)


def _record(kind: type, raw: dict[str, Any], path: str) -> Any:
    hints = _hints(kind)
    if set(raw) != set(hints):
        odd = sorted(set(raw) ^ set(hints))
        raise ValueError(f"{path}: unknown or missing {', '.join(map(repr, odd))}")
    return kind(**{name: _decode(hint, raw[name], f"{path}.{name}") for name, hint in hints.items()})


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _duration(text: str, path: str) -> timedelta:
    if not text.endswith("s"):
        raise ValueError(f"{path}: {text!r} is no duration in seconds, like 1.5s")
    return timedelta(seconds=float(text[:-1]))


def _expect(kind: type, raw: Any, path: str) -> Any:
    if not isinstance(raw, kind) or (kind is int and isinstance(raw, bool)):
        raise ValueError(f"{path}: expected {kind.__name__}, found {type(raw).__name__}")
    return raw
