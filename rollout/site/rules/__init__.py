"""Rules that relate several fields of a site file, one small function each: run all, then report all.

What a single value may be is in :mod:`rollout.site.scalars`; these see the whole file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from rollout.site.problem import Problem
from rollout.site.schema import SiteFile

Rule = Callable[[SiteFile, Path], Iterable[Problem]]
RULES: tuple[Rule, ...] = ()


def broken_rules(file: SiteFile, folder: Path) -> list[Problem]:
    return [problem for rule in RULES for problem in rule(file, folder)]
