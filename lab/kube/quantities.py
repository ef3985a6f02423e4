"""Counts that may be percentages, as maxSurge and maxUnavailable are."""

from __future__ import annotations

import math


def count_up(value: int | str, total: int) -> int:
    """``"25%"`` of ``total`` rounded up, or the plain number."""
    return value if isinstance(value, int) else math.ceil(_share(value) * total)


def count_down(value: int | str, total: int) -> int:
    return value if isinstance(value, int) else math.floor(_share(value) * total)


def _share(text: str) -> float:
    return int(text.removesuffix("%")) / 100 if text.endswith("%") else 0.0
