"""The demo's result as a value: its JSON document, its table, and whether it kept the promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Versions:
    """What moved: the mesh's version and the Envoy that really ran on the nodes (empty where simulated)."""

    mesh: str
    envoy: str

    def __str__(self) -> str:
        return f"istio {self.mesh}" + (f" (Envoy {self.envoy})" if self.envoy else "")


@dataclass(frozen=True, slots=True)
class Score:
    """Everything was counted in this run; nothing here has a default.

    ``keepalive_lost`` is None where no kept-alive connection exists to be counted (the simulated stage).
    """

    simulated: bool
    sent: int
    lost: int
    keepalive_lost: int | None
    gateways_total: int
    gateways_min_in_rib: int
    naive_sent: int
    naive_lost: int
    naive_keepalive_lost: int | None
    naive_min_in_rib: int
    nodes: int
    hosts_changed: int
    hosts_unchanged_second_run: int
    tor_lines_applied: int
    tor_second_diff_empty: bool
    before: Versions
    after: Versions
    seconds_lab_up: float
    seconds_bringup: float
    seconds_upgrade: float

    def document(self) -> dict[str, Any]:
        """The keys that scripts rely on; dots in the README's list are levels here."""
        return {
            "requests": {"sent": self.sent, "lost": self.lost, "keepalive_lost": self.keepalive_lost},
            "gateways": {"total": self.gateways_total, "min_in_rib": self.gateways_min_in_rib},
            "naive": {"lost": self.naive_lost, "min_in_rib": self.naive_min_in_rib},
            "hosts": {"changed": self.hosts_changed, "unchanged_second_run": self.hosts_unchanged_second_run},
            "tor": {"lines_applied": self.tor_lines_applied, "second_diff_empty": self.tor_second_diff_empty},
            "versions": {"before": str(self.before), "after": str(self.after)},
            "seconds": {
                "lab_up": round(self.seconds_lab_up, 1),
                "bringup": round(self.seconds_bringup, 1),
                "upgrade": round(self.seconds_upgrade, 1),
            },
        }

    def broken_promises(self) -> tuple[str, ...]:
        """What the demo promised and this run did not keep; empty is the only good answer."""
        claims = (
            (self.lost == 0, f"{self.lost} fresh requests lost in the upgrade"),
            (
                self.keepalive_lost == 0 or self.simulated,
                f"{self.keepalive_lost} kept-alive requests lost in the upgrade",
            ),
            (
                self.gateways_min_in_rib >= self.gateways_total - 1,
                f"only {self.gateways_min_in_rib} of {self.gateways_total} gateways in the RIB at the lowest",
            ),
            (self.naive_lost > 0, "the naive upgrade lost nothing: the meter cannot tell good from bad"),
            (
                self.hosts_unchanged_second_run == self.nodes,
                f"the second host run left only {self.hosts_unchanged_second_run} of {self.nodes} hosts unchanged",
            ),
            (self.tor_second_diff_empty, "the second ToR diff is not empty"),
        )
        return tuple(text for kept, text in claims if not kept)
