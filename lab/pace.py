"""How often the lab looks at things: as often as this machine's kernel bears, more rarely in a machine that says so.

An emulated processor pays many times for a look. ``LAB_SLOWNESS`` in the environment of an agent and of its pods'
processes makes every pause between two looks so many times as long; what a look finds is the same.
"""

from __future__ import annotations

import os

NAME = "LAB_SLOWNESS"
SLOWNESS = max(float(os.environ.get(NAME) or 1), 1.0)


def paced(seconds: float) -> float:
    """The pause between two looks that is ``seconds`` where looking costs nothing."""
    return seconds * SLOWNESS
