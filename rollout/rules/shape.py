"""What a value in a row must look like. Each check raises ValueError that says what would be right."""

from __future__ import annotations

import re

from rollout.rules.version import VersionInvalid, minor_pair, parse

_ID = re.compile(r"[A-Z][A-Z0-9]*(?:-[A-Z0-9]+){1,4}")
_LINE = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")
EDGE = re.compile(r"edge-([0-9]{2})\.([0-9]{1,2})\.([0-9]{1,4})")
"""A Linkerd edge release: year, month, number."""


def check_origin(id_: str, source: str) -> None:
    if not _ID.fullmatch(id_):
        raise ValueError(f"id {id_!r}: expected capitals, digits and dashes, such as SITE-SKEW-01")
    if not source.strip():
        raise ValueError("source is empty: expected where this was read")


def edge_numbers(text: str) -> tuple[int, int, int]:
    """``edge-25.10.7`` as numbers: compared as text, 25.10 would come before 25.4. Raises VersionInvalid."""
    match = EDGE.fullmatch(text)
    if match is None:
        raise VersionInvalid(f"{text!r} is no Linkerd edge release; expected like edge-25.10.7")
    return int(match[1]), int(match[2]), int(match[3])


def check_line(*lines: str | None) -> None:
    for line in lines:
        if line is not None and not _LINE.fullmatch(line):
            raise ValueError(f'{line!r} is no release line: expected two numbers, such as "1.31"')


def check_counts(*counts: int | None) -> None:
    for count in counts:
        if count is not None and count < 0:
            raise ValueError(f"{count} is below 0: expected a number of minors")


def check_releases(line: str, edge: str | None, latest: str | None) -> None:
    """``edge`` has an edge release's form, and ``latest`` is one or is of this line."""
    if edge is not None and not EDGE.fullmatch(edge):
        raise ValueError(f'edge {edge!r}: expected a release such as "edge-26.6.3"')
    if latest is not None and not EDGE.fullmatch(latest) and parse(latest).line != line:
        raise ValueError(f"latest {latest} is not of line {line}")


def check_range(span: tuple[str, str] | None) -> None:
    check_line(*(span or ()))
    if span is not None and minor_pair(span[0]) > minor_pair(span[1]):
        raise ValueError(f"the range {span[0]}..{span[1]} is empty: the lower end comes first")


def check_span(since: str, before: str | None) -> None:
    if before is not None and parse(before) <= parse(since):
        raise ValueError(f"before {before} is not above since {since}")
    parse(since)
