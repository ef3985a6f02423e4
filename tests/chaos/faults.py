"""What can go wrong once in a run, as values. ``lasts`` None: until an operator repairs it, or for ever.

``at`` is the step that has just started when the trouble is due, ``delay`` the simulated seconds after that.
``says`` is a pattern that the reason of a stop must match: a run that is held says what held it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    API_SILENT = "API server silent"
    TOR_SILENT = "ToR silent"
    PROBE_SILENT = "outside probe silent"
    HELM_FAILS = "Helm fails once"
    HELM_PENDING = "Helm dies, release pending"
    EVICTION_REFUSED = "eviction refused (PDB)"
    NEVER_READY = "new pod never Ready"
    NODE_NOT_READY = "node NotReady in its window"
    PROBE_LOSS = "probe loss burst"
    BGP_FLAP = "BGP flap of the moving node"
    GATEWAY_LOST = "another gateway lost, none out"
    KILLED = "kill -9"
    STOPPED = "operator stops the run"
    FOREIGN_CORDON = "foreign cordon appears"
    CLOCK_OUT = "clock out of sync"
    ALERT_FIRING = "alert firing"


@dataclass(frozen=True, slots=True)
class Fault:
    """``victim`` is a node or a switch, empty where the kind has none; ``repaired`` False: nobody ever does."""

    kind: Kind
    at: int
    delay: float = 0.0
    lasts: float | None = None
    victim: str = ""
    repaired: bool = True
    says: str = ""
