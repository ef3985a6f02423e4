"""pydantic's complaints in the product's words: field, what is wrong, what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rollout.site.problem import FieldPath, Problem
from rollout.site.scalars import shown
from rollout.site.schema import SiteFile


def problems(error: ValidationError) -> list[Problem]:
    details = error.errors(include_url=False)
    inside = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    return [_problem(detail) for detail in details if not _echo(detail, inside)]


def _echo(detail: ErrorDetails, inside: set[tuple[str | int, ...]]) -> bool:
    """A list whose entries were refused also counts as too short; only the entries' own problems are news."""
    return detail["type"] == "too_short" and detail["loc"] in inside


def only_unknown_keys(error: ValidationError) -> bool:
    return all(detail["type"] == "extra_forbidden" for detail in error.errors(include_url=False))


def without_unknown_keys(value: Any, error: ValidationError) -> Any:
    """The values with the unknown keys left out, so that the other rules can still have their say."""
    drop = {tuple(detail["loc"]) for detail in error.errors(include_url=False)}
    return _pruned(value, (), drop)


def _pruned(value: Any, path: FieldPath, drop: set[FieldPath]) -> Any:
    match value:
        case dict():
            return {k: _pruned(v, (*path, k), drop) for k, v in value.items() if (*path, k) not in drop}
        case list():
            return [_pruned(item, (*path, index), drop) for index, item in enumerate(value)]
    return value


def _problem(detail: ErrorDetails) -> Problem:
    path: FieldPath = tuple(detail["loc"])
    match detail["type"]:
        case "site":
            context = detail["ctx"]
            return Problem(path, str(context["what"]), str(context["expected"]))
        case "extra_forbidden":
            return _unknown_key(path)
        case "missing":
            return Problem(path, "is missing", _wanted(path))
        case "too_short":
            return Problem(path, "is empty", "at least one entry")
        case "model_type" | "model_attributes_type":
            keys = ", ".join(keys_of(path))
            return Problem(path, f"is {shown(detail['input'])}", f"a mapping with the keys: {keys}")
        case "tuple_type":
            return Problem(path, f"is {shown(detail['input'])}", "a list")
    return Problem(path, f"is not valid ({detail['msg']})", "another value")


def _wanted(path: FieldPath) -> str:
    if path[-1] == "tor":
        return "the rack's top-of-rack switch: its nodes need someone to peer with"
    keys = keys_of(path)
    return f"a section with the keys: {', '.join(keys)}" if keys else "a value for it"


def _unknown_key(path: FieldPath) -> Problem:
    known = keys_of(path[:-1])
    near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
    guess = f"did you mean '{near[0]}'? " if near else ""
    return Problem(path, "is an unknown key", f"{guess}one of: {', '.join(known)}")


def keys_of(path: Iterable[str | int]) -> list[str]:
    """The keys that the section at this path may have; empty where a plain value belongs."""
    section: type[BaseModel] | None = SiteFile
    for part in path:
        if isinstance(part, str):
            section = _section_under(section, part)
    return [info.alias or name for name, info in section.model_fields.items()] if section else []


def _section_under(section: type[BaseModel] | None, key: str) -> type[BaseModel] | None:
    if section is None:
        return None
    for name, info in section.model_fields.items():
        if (info.alias or name) == key:
            return _section_in(info.annotation)
    return None


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section_in, get_args(annotation))), None)
