"""The engine's Hosts, Switches and Probe ports over the model."""

from __future__ import annotations

import time
from collections.abc import Sequence

from lab.simulated.fabric import SimulatedFabric
from roles.tor.intent import intended
from roles.tor.merge import merged
from rollout.engine.ports import HostOutcome, PeerState, SwitchChange
from rollout.model.mesh import Gateway
from rollout.model.observed import ProbeResult
from rollout.model.site import Address, Node, Site, Switch

SAMPLE_S = 0.005
_FRAME = ("", "!", "exit", "end", "frr version simulated")


class SimulatedHosts:
    """Each host changes once and then stays as it is; no kernel is touched."""

    def __init__(self) -> None:
        self._configured: set[str] = set()

    def configure(self, nodes: Sequence[Node], *, dry_run: bool) -> tuple[HostOutcome, ...]:
        found = tuple(self._outcome(node) for node in nodes)
        if not dry_run:
            self._configured |= {node.name for node in nodes}
        return found

    def _outcome(self, node: Node) -> HostOutcome:
        changed = () if node.name in self._configured else ("simulated: kernel and clock",)
        return HostOutcome(node=node.name, changed=changed)


class SimulatedSwitches:
    """The real renderer's lines, kept in memory instead of on a switch; next-hops come from the model."""

    def __init__(self, site: Site, fabric: SimulatedFabric) -> None:
        self._site = site
        self._fabric = fabric
        self._lines: dict[str, tuple[str, ...]] = {}

    def diff(self, switch: Switch) -> SwitchChange:
        had, wanted = self._lines.get(switch.name, ()), intended_lines(self._site, switch)
        gone = tuple(f"- {line}" for line in had if line not in wanted)
        return SwitchChange(switch.name, gone + tuple(f"+ {line}" for line in wanted if line not in had))

    def apply(self, switch: Switch) -> SwitchChange:
        change = self.diff(switch)
        self._lines[switch.name] = intended_lines(self._site, switch)
        return change

    def next_hops(self, switch: Switch, vip: Address) -> frozenset[Address]:
        del vip
        routed = self._fabric.routed if switch.name in self._lines else frozenset()
        return frozenset(node.fabric_address for node in self._peers(switch) if node.name in routed)

    def peers(self, switch: Switch) -> tuple[PeerState, ...]:
        up = switch.name in self._lines
        bfd = up if self._site.bgp.bfd else None
        return tuple(PeerState(node.fabric_address, up, bfd) for node in self._peers(switch))

    def _peers(self, switch: Switch) -> tuple[Node, ...]:
        return tuple(node for node in self._site.rack(switch.rack).nodes if node.gateway)


class SimulatedProbe:
    """Requests as the model answers them, spread over the routed gateways in turn."""

    def __init__(self, fabric: SimulatedFabric) -> None:
        self._fabric = fabric

    def fetch(self, gateway: Gateway, samples: int) -> ProbeResult:
        answered = 0
        for number in range(samples):
            answered += answers(self._fabric, number)
            time.sleep(SAMPLE_S)
        return ProbeResult(vip=gateway.vip, tried=samples, ok=answered, detail="simulated")


def answers(fabric: SimulatedFabric, number: int) -> bool:
    """Would request ``number`` get an answer: it is sent where routers believe, and answered where it is true."""
    routed = sorted(fabric.routed)
    return bool(routed) and routed[number % len(routed)] in fabric.now.answering


def intended_lines(site: Site, switch: Switch) -> tuple[str, ...]:
    """The lines that rackroll owns on this switch, by the renderer that the FRR adapter uses too."""
    bare = f"frr version simulated\n!\nrouter bgp {switch.asn}\nexit\n!\nend\n"
    text = merged(bare, intended(site, switch))
    return tuple(line for line in map(str.strip, text.splitlines()) if line not in _FRAME)
