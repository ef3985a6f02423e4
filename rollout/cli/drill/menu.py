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
from rollout.cli.drill.machines import WrongClock

_EMBEDDED = (SkewedClock, StuckPod, DyingSigner, Crash, FullConntrack, TamperedTrust)
_MACHINES = (WrongClock, StuckPod, Crash, FullConntrack, TamperedTrust)


def faults(*, vm: bool = False) -> Mapping[str, type[NoFault]]:
    """``vm``: what can befall virtual machines, whose clocks are their own and are made wrong for real."""
    return MappingProxyType({each().name: each for each in (_MACHINES if vm else _EMBEDDED)})
