"""Label and field selectors: parsed once, matched often."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lab.kube.errors import BadRequest


class Operator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    ABSENT = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return labels.get(self.key) not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.ABSENT:
                return self.key not in labels


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; none at all selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(r.matches(labels) for r in self.requirements)


EVERYTHING = Selector()
_TERM = re.compile(
    r"\s*(?:"
    r"!\s*(?P<absent>[\w./-]+)"
    r"|(?P<key>[\w./-]+)\s*(?:(?P<set>notin|in)\s*\((?P<values>[^)]*)\)"
    r"|(?P<op>==|=|!=)\s*(?P<value>[\w.-]*))?"
    r")\s*(?:,|$)"
)


def parse_labels(text: str) -> Selector:
    """``a=b,c!=d,e in (x,y),f notin (z),g,!h``; raises BadRequest where it is none of these."""
    found: list[Requirement] = []
    at = 0
    while at < len(text):
        term = _TERM.match(text, at)
        if term is None or term.end() == at:
            raise BadRequest(f"unable to parse label selector {text!r} at {text[at:]!r}")
        found.append(_requirement(term))
        at = term.end()
    return Selector(tuple(found))


def _requirement(term: re.Match[str]) -> Requirement:
    if term["absent"]:
        return Requirement(term["absent"], Operator.ABSENT)
    if term["set"]:
        values = frozenset(v.strip() for v in term["values"].split(","))
        return Requirement(term["key"], Operator.IN if term["set"] == "in" else Operator.NOT_IN, values)
    if term["op"]:
        operator = Operator.NOT_IN if term["op"] == "!=" else Operator.IN
        return Requirement(term["key"], operator, frozenset({term["value"]}))
    return Requirement(term["key"], Operator.EXISTS)


def from_map(labels: Mapping[str, str]) -> Selector:
    return Selector(tuple(Requirement(k, Operator.IN, frozenset({v})) for k, v in labels.items()))


def from_object(selector: Mapping[str, Any] | None) -> Selector:
    """A ``LabelSelector`` as objects carry it (matchLabels and matchExpressions)."""
    if not selector:
        return EVERYTHING
    plain = from_map(selector.get("matchLabels") or {}).requirements
    rows = selector.get("matchExpressions") or ()
    return Selector(plain + tuple(from_expression(row) for row in rows))


def from_expression(row: Mapping[str, Any]) -> Requirement:
    return Requirement(row["key"], Operator(row["operator"]), frozenset(row.get("values") or ()))


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """(path, value, wanted equal?) terms, compared as text; a missing field reads as the empty string."""

    terms: tuple[tuple[tuple[str, ...], str, bool], ...] = ()

    def matches(self, obj: Mapping[str, Any]) -> bool:
        return all((_field(obj, path) == value) is wanted for path, value, wanted in self.terms)

    def wanted(self, *path: str) -> str | None:
        """The one value this selector allows at ``path``, if it pins it."""
        return next((v for p, v, equal in self.terms if p == path and equal), None)


ANYTHING = FieldSelector()


def parse_fields(text: str) -> FieldSelector:
    terms = []
    for part in filter(None, text.split(",")):
        found = re.fullmatch(r"\s*([\w.-]+?)\s*(==|!=|=)\s*(.*?)\s*", part)
        if found is None:
            raise BadRequest(f"unable to parse field selector {text!r}: expected field=value or field!=value")
        terms.append((tuple(found[1].split(".")), found[3], found[2] != "!="))
    return FieldSelector(tuple(terms))


def _field(obj: Any, path: tuple[str, ...]) -> str:
    for part in path:
        obj = obj.get(part) if isinstance(obj, Mapping) else None
    if obj is None:
        return ""
    return str(obj).lower() if isinstance(obj, bool) else str(obj)
