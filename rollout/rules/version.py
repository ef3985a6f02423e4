"""Versions as the rules compare them: semver, ordered by numbers and never by text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache, total_ordering

_SEMVER = re.compile(
    r"v?(?P<major>[0-9]{1,9})\.(?P<minor>[0-9]{1,9})\.(?P<patch>[0-9]{1,9})"
    r"(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
)
_MINOR = re.compile(r"v?([0-9]{1,9})\.([0-9]{1,9})(?:[.+].*)?")


class VersionInvalid(ValueError):
    """Not a full semver version: a plan needs one that names exactly one release."""


@total_ordering
@dataclass(frozen=True, slots=True, eq=True)
class Version:
    """``pre`` sorts below the release it precedes; among pre-releases numeric parts compare as numbers."""

    major: int
    minor: int
    patch: int
    pre: str = ""

    def __lt__(self, other: Version) -> bool:
        return self._order() < other._order()

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}" + (f"-{self.pre}" if self.pre else "")

    @property
    def line(self) -> str:
        """The minor release line, such as 1.30: what skew and support rules speak of."""
        return f"{self.major}.{self.minor}"

    def _order(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        parts = tuple((not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in self.pre.split("."))
        return (self.major, self.minor, self.patch), not self.pre, parts


@lru_cache(maxsize=4096)
def parse(text: str) -> Version:
    """Raises :class:`VersionInvalid` for anything but a full version: ``1.30`` and ``latest`` float."""
    match = _SEMVER.fullmatch(text.strip())
    if match is None:
        raise VersionInvalid(f"{text!r} does not name one release; expected like 1.31.1")
    return Version(int(match["major"]), int(match["minor"]), int(match["patch"]), match["pre"] or "")


def minor_pair(text: str) -> tuple[int, int]:
    """Major and minor of ``1.35``, ``1.35.4`` or ``v1.35.4+k3s1`` (Kubernetes reports all three)."""
    match = _MINOR.fullmatch(text.strip())
    if match is None:
        raise VersionInvalid(f"{text!r} has no major.minor")
    return int(match[1]), int(match[2])
