"""How an effect reads to a person: one table, so that plan, progress and status speak alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rollout.model import step as s

_WORDS: dict[type, Callable[[Any], str]] = {
    s.ConfigureHosts: lambda e: f"kernel and clock on {', '.join(e.nodes)}",
    s.ConfigureSwitch: lambda e: f"BGP peers and prefix lists on {e.switch}",
    s.InstallChart: lambda e: f"chart {e.chart} {e.version} as {e.namespace}/{e.release}",
    s.ApplyObjects: lambda e: f"{e.subject} objects: {e.part}",
    s.AwaitControlPlane: lambda e: f"control plane of {e.mesh} answers at {e.version}",
    s.AwaitGateways: lambda e: f"every {e.gateway} gateway Ready and in the ToR RIBs",
    s.AwaitPeering: lambda e: f"BGP sessions Established on {e.switch}",
    s.DrainGateways: lambda e: f"{e.node}: drain its gateways",
    s.Withdraw: lambda e: f"{e.node}: withdraw its routes",
    s.AwaitWithdrawn: lambda e: f"{e.node}: gone from the ToR RIB",
    s.Cordon: lambda e: f"{e.node}: cordon",
    s.Evict: lambda e: f"{e.node}: evict its {e.mesh} pods below {e.version}",
    s.AwaitNodeReady: lambda e: f"{e.node}: Ready with {e.mesh} {e.version}",
    s.Uncordon: lambda e: f"{e.node}: uncordon",
    s.Advertise: lambda e: f"{e.node}: routes back",
    s.AwaitAdvertised: lambda e: f"{e.node}: in the ToR RIB again",
    s.ProbeVips: lambda e: f"VIPs answer {e.samples} fresh connections from outside",
    s.Soak: lambda e: f"soak {e.duration.total_seconds():g} s and {e.samples} samples",
    s.NaiveReplace: lambda e: f"NAIVE: delete the {e.mesh} pods of {len(e.nodes)} nodes at once",
}


def describe(effect: object) -> str:
    """One short line about an effect."""
    return _WORDS[type(effect)](effect)
