"""Every fault that a drill can be given, by the name that the command line has for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rollout.cli.drill.crash import Crash
from rollout.cli.drill.faults import (
    DyingSigner,
    FullConntrack,
    NoFault,
    SkewedClock,
    StuckPod,
    TamperedTrust,
)

_ALL = (SkewedClock, StuckPod, DyingSigner, Crash, FullConntrack, TamperedTrust)


def faults() -> Mapping[str, type[NoFault]]:
    return MappingProxyType({each().name: each for each in _ALL})
