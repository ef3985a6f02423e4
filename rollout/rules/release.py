"""Where a version stands among its kind's releases, whatever scheme upstream numbers them by.

Distances are differences of ``index``. Within a major they count minors; across majors they follow the rows'
``follows`` (Consul 2.0 comes after 1.22) and are out of reach where no row says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, total_ordering
from typing import Any

from rollout.rules.book import RuleBook
from rollout.rules.rows import FAMILY, Leap, SupportRow
from rollout.rules.shape import EDGE, edge_numbers
from rollout.rules.version import VersionInvalid, minor_pair, parse

OUT_OF_REACH = 1000
"""More minors than any rule allows: between majors that no row connects."""

_ENTERPRISE = re.compile(r"enterprise-(2\.[0-9]{1,4}\.[0-9]{1,4})(?:-([0-9A-Za-z.-]+))?")
_BUILD = re.compile(r"\+([0-9A-Za-z.-]+)$")
_IMAGE_VARIANT = re.compile(r"-(?:distroless|debug)$")
_CONSUL_TAG = re.compile(r"-ent$")


class UnknownLine(ValueError):
    """A version of a line that no support row knows: nothing can be said about it."""


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """``text`` is spelled one way however it was written; ``line`` is what skew and support rules speak of.

    Ordered within its kind. Distributions of one line (Linkerd's edge, its plain and its enterprise releases) have no
    published order among each other: they sort apart, edge first.
    """

    kind: str
    text: str
    line: str
    index: int
    key: tuple[Any, ...]

    def __lt__(self, other: Release) -> bool:
        if self.kind != other.kind:
            raise TypeError(f"{self.kind} {self.text} and {other.kind} {other.text} have no order")
        return self.key < other.key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Release) and (self.kind, self.key) == (other.kind, other.key)

    def __hash__(self) -> int:
        return hash((self.kind, self.key))

    def __str__(self) -> str:
        return self.text


@lru_cache(maxsize=8192)
def place(book: RuleBook, kind: str, text: str) -> Release:
    """Raises :class:`VersionInvalid` for what names no release, :class:`UnknownLine` for a line without a row."""
    if kind == "linkerd":
        return _linkerd(book, text.strip())
    return _semver(book, kind, _spelled(kind, text.strip()))


def unlisted(kind: str, text: str) -> Release:
    """A component with numbers of its own, which no support row lists: minors count within a major only."""
    version = parse(text)
    index = version.major * OUT_OF_REACH + version.minor
    return Release(kind, str(version), version.line, index, (index, 1, version, ""))


def leaps(exceptions: Iterable[Leap], before: Release, after: Release) -> bool:
    """Whether upstream allows this wider step: from the same line at or above ``since``, editions alike."""
    return any(_leaps(leap, before, after) for leap in exceptions)


def leaps_from(leap: Leap, before: Release) -> bool:
    since, start = parse(leap.since), parse(before.text)
    return start.line == since.line and start >= since and _edition(before) == leap.edition


def _leaps(leap: Leap, before: Release, after: Release) -> bool:
    lands = minor_pair(after.line) == minor_pair(leap.to_line) and _edition(after) == leap.edition
    return lands and leaps_from(leap, before)


def _edition(release: Release) -> str:
    return release.text.partition("+")[2]


def distance(low: Release, high: Release) -> int:
    """Minors from ``low`` up to ``high``; negative when ``high`` is the older one."""
    return high.index - low.index


@lru_cache(maxsize=256)
def line_indexes(book: RuleBook, kind: str) -> Mapping[str, int]:
    """Each known line of the kind with its place, oldest first."""
    rows = {row.line: row for row in book.support if row.subject == FAMILY.get(kind, kind)}
    return dict(_indexed(sorted(rows.values(), key=lambda row: minor_pair(row.line))))


def _indexed(rows: list[SupportRow]) -> Iterator[tuple[str, int]]:
    index, last = 0, None
    for row in rows:
        if last is not None:
            index += _step(last, row)
        yield row.line, index
        last = row


def _step(last: SupportRow, row: SupportRow) -> int:
    (old_major, old_minor), (major, minor) = minor_pair(last.line), minor_pair(row.line)
    if major == old_major:
        return minor - old_minor
    return 1 if row.follows == last.line else OUT_OF_REACH


def _spelled(kind: str, text: str) -> str:
    """Image tags name variants of the same release; Consul's enterprise tags write ``-ent`` for ``+ent``."""
    if FAMILY.get(kind, kind) == "istio":
        return _IMAGE_VARIANT.sub("", text)
    return _CONSUL_TAG.sub("+ent", text) if kind == "consul" else text


def _semver(book: RuleBook, kind: str, text: str) -> Release:
    version, build = parse(text), _BUILD.search(text)
    suffix = build[1] if build else ""
    index = _index(book, kind, text, version.line)
    key = (index, 1, version, suffix)
    return Release(kind, str(version) + (f"+{suffix}" if suffix else ""), version.line, index, key)


def _linkerd(book: RuleBook, text: str) -> Release:
    enterprise = _ENTERPRISE.fullmatch(text)
    if EDGE.fullmatch(text) is not None:
        return _edge(book, edge_numbers(text))
    if enterprise is None:
        return _plain_linkerd(book, text.removeprefix("stable-"))
    found = _semver(book, "linkerd", enterprise[1])
    suffix = enterprise[2] or ""
    key = (found.index, 2, *found.key[2:3], _parts(suffix))
    return replace(found, text=f"enterprise-{found.text}" + (f"-{suffix}" if suffix else ""), key=key)


def _plain_linkerd(book: RuleBook, text: str) -> Release:
    try:
        return _semver(book, "linkerd", text)
    except VersionInvalid:
        expected = "edge-26.6.3, enterprise-2.19.1 or 2.19.1"
        raise VersionInvalid(
            f"{text!r} does not name one Linkerd release; expected like {expected}"
        ) from None


def _edge(book: RuleBook, edge: tuple[int, int, int]) -> Release:
    """An edge belongs to the newest line that had started by then (our inference from Linkerd's version list)."""
    text = "edge-" + ".".join(map(str, edge))
    started = [r for r in book.support if r.subject == "linkerd" and r.edge and edge_numbers(r.edge) <= edge]
    if not started:
        raise _unknown(book, "linkerd", text, "is older than every known line's first edge")
    line = max(started, key=lambda row: edge_numbers(row.edge or "")).line
    index = line_indexes(book, "linkerd")[line]
    return Release("linkerd", text, line, index, (index, 0, edge, ""))


def _parts(suffix: str) -> tuple[tuple[bool, int, str], ...]:
    parts = suffix.split(".") if suffix else ()
    return tuple((not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in parts)


def _index(book: RuleBook, kind: str, text: str, line: str) -> int:
    index = line_indexes(book, kind).get(line)
    if index is None:
        raise _unknown(book, kind, text, f"is of line {line}, which no support row knows")
    return index


def _unknown(book: RuleBook, kind: str, text: str, why: str) -> UnknownLine:
    known = ", ".join(line_indexes(book, kind)) or "none"
    return UnknownLine(f"{kind} {text} {why}; known lines: {known}")
