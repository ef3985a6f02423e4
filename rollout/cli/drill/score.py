"""What a drill found, as the document that is printed and kept. Every figure was counted in this run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lab.mesh.tally import Handshakes
from rollout.cli.drill.rotation import PhaseTime


@dataclass(frozen=True, slots=True)
class DrillScore:
    """``old_root_leaves``, ``proxies`` and ``unseen`` are of the census after the rotation; ``naive`` is the negative
    control. ``elsewhere``: where the fault breaks one node's handshakes itself, all others'; None: all count."""

    mesh: str
    lab: str
    at: datetime
    good: Handshakes
    naive: Handshakes | None
    phases: tuple[PhaseTime, ...]
    seconds: float
    old_root_leaves: int
    proxies: int
    unseen: int
    gateways_min: int | None
    gateways_total: int
    lab_up: float = 0.0
    fault: Mapping[str, object] | None = None
    elsewhere: Handshakes | None = None

    @property
    def judged(self) -> Handshakes:
        return self.elsewhere or self.good

    @property
    def badness(self) -> tuple[float, ...]:
        """The greater, the worse: for the one of several drills that is shown."""
        judged = self.judged
        window = judged.error_window_ms.longest
        return (len(self.broken_promises()), judged.failed, window, self.seconds)

    def printed(self) -> dict[str, Any]:
        """What ``-o json`` promises, and no more; the history has all of it."""
        whole = self.document()
        naive = whole["naive"]
        return {
            "mesh": self.mesh,
            "handshakes": {key: whole["handshakes"][key] for key in ("tried", "failed")},
            "error_window_ms": {key: whole["error_window_ms"][key] for key in ("longest", "by_rack")},
            "naive": naive and {key: naive[key] for key in ("failed", "error_window_ms")},
            "phases": whole["phases"],
            "seconds": {"total": whole["seconds"]["total"]},
            "old_root": whole["old_root"],
        }

    def document(self) -> dict[str, Any]:
        """All of it, for the history."""
        windows = self.good.error_window_ms
        return {
            "mesh": self.mesh,
            "at": self.at.isoformat(timespec="seconds"),
            "lab": self.lab,
            "handshakes": {
                "tried": self.good.tried,
                "failed": self.good.failed,
                "by_class": _by_class(self.good),
            },
            "error_window_ms": {
                "longest": windows.longest,
                "by_rack": dict(windows.by_rack),
                "by_pair": {f"{client}->{server}": ms for (client, server), ms in windows.by_pair.items()},
            },
            "naive": _naive(self.naive),
            "phases": [{"name": each.name, "seconds": each.seconds} for each in self.phases],
            "seconds": {"total": round(self.seconds, 1), "lab_up": round(self.lab_up, 1)},
            "old_root": {"live_leaves": self.old_root_leaves},
            "proxies": {"seen": self.proxies, "unseen": self.unseen},
            "fault": dict(self.fault) if self.fault else None,
            "elsewhere": self.elsewhere and {"tried": self.elsewhere.tried, "failed": self.elsewhere.failed},
            "gateways": {"total": self.gateways_total, "min_in_rib": self.gateways_min},
        }

    def broken_promises(self) -> tuple[str, ...]:
        """What a drill must show; each in a sentence when it does not."""
        found = []
        judged = self.judged
        if judged.failed:
            found.append(f"{judged.failed} of {judged.tried} handshakes failed during the rotation")
        if not judged.tried:
            found.append("no handshake was tried: nothing was measured")
        if self.old_root_leaves:
            found.append(f"{self.old_root_leaves} live leaves still chain to the old root")
        if self.unseen:
            found.append(f"{self.unseen} proxies could not be seen: nothing is known of their leaves")
        if not self.proxies:
            found.append("the census saw no proxy: nothing was proven")
        if self.naive is not None and not self.naive.failed:
            found.append("the naive rotation failed no handshake: this drill cannot tell good from bad")
        return tuple(found)


def _naive(naive: Handshakes | None) -> dict[str, Any] | None:
    if naive is None:
        return None
    return {
        "tried": naive.tried,
        "failed": naive.failed,
        "error_window_ms": naive.error_window_ms.longest,
        "by_class": _by_class(naive),
    }


def _by_class(found: Handshakes) -> dict[str, int]:
    return {name.value: count for name, count in sorted(found.by_class.items())}
