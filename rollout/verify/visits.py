"""The order in which a node is taken out and given back, held step by step, and the gates that must be asked.

Traffic first leaves the node (drain, withdraw, see it gone), then the node is closed (cordon), then something is done
to it, and it comes back the other way round. Every node that went out is back in the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rollout.verify.document import Step
from rollout.verify.finding import refute

ACTS = frozenset({"Evict", "EvictAll", "ReplaceAgents", "RunCommand", "RenewProxies", "Reboot"})
CUTTING = frozenset({"ztunnel", "speaker", "agent", "envoy", "frr-k8s"})
"""Agents whose replacement cuts traffic that enters through their node."""


@dataclass(slots=True)
class Visit:
    """``waiting``: gateways that were drained and have been neither replaced nor restored; ``done``: acts so far;
    ``noted``: the boot is on record and nothing was done since; ``booted``: rebooted, and no clock was asked for yet.
    """

    drained: bool = False
    withdrawn: bool = False
    gone: bool = False
    cordoned: bool = False
    ready: bool = True
    advertised: bool = False
    noted: bool = False
    booted: bool = False
    waiting: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)

    @property
    def left(self) -> str:
        """What is still not as it was; empty when the node is back."""
        found = {
            "drained": bool(self.waiting),
            "withdrawn": self.withdrawn,
            "cordoned": self.cordoned,
            "not seen Ready": not self.ready,
        }
        return ", ".join(word for word, holds in found.items() if holds)


class Visits:
    """``gateways``: node to {gateway: version} of what its routes lead to; ``meshes``: gateway to mesh."""

    def __init__(self, start: dict[str, Any]) -> None:
        self.gateway_nodes = frozenset(start["gateway_nodes"])
        self.meshes = {g["name"]: g["subject"] for g in start["gateways"]}
        self.gateways: dict[str, dict[str, str]] = {}
        for placed in start["placed"]:
            for node in placed["nodes"]:
                self.gateways.setdefault(node, {})[placed["gateway"]] = placed["version"]
        self.open: dict[str, Visit] = {}
        self.seen: set[str] = set()
        self.owed: list[str] = []
        """What must be seen from outside before the next gateway node leaves."""
        self.gates = 0

    def step(self, step: Step, serving: int) -> None:
        """Raises Counterexample VERIFY-GATE-01, VERIFY-ORDER-01 or VERIFY-REBOOT-01. ``serving``: gateway nodes that
        announce before it, 0 for a step that cannot take anything away (a chart that is new, or is there as wanted)."""
        node = self._node(step)
        routed = node is not None and self.open.get(node, Visit()).withdrawn
        self._gated(step, node, routed=routed, serving=serving)
        if step.do in ("ProbeVips", "Soak") and step.do in self.owed:
            self.owed.remove(step.do)
        if node is not None:
            self.seen.add(node)
            self._visit(step, node, self.open.setdefault(node, Visit()))

    def _node(self, step: Step) -> str | None:
        """The node that a node's step is about; its two names for it must agree."""
        named = step.effect.get("node", step.effect.get("host") if step.node else None)
        if step.node is not None and named is not None and named != step.node:
            refute("VERIFY-ORDER-01", f"the step is {step.node}'s and touches {named}", step=step.key)
        return named

    def _gated(self, step: Step, node: str | None, *, routed: bool, serving: int) -> None:
        needed = self._needed(step, node, routed=routed, serving=serving)
        missing = needed - step.gates
        if missing:
            refute("VERIFY-GATE-01", f"{step.do} is not gated on {', '.join(sorted(missing))}", step=step.key)
        self.gates += len(step.gates)

    def _needed(self, step: Step, node: str | None, *, routed: bool, serving: int) -> frozenset[str]:
        """Where no gateway exists or none serves yet, there is nothing for N-1 to count."""
        found: Iterable[str] = ()
        match step.do:
            case "DrainGateways" | "NaiveReplace":
                found = ("GW-N1-WITHOUT", "NODE-FREE")
            case "Withdraw":
                found = ("GW-N1-WITHOUT", "NODE-FREE")
            case "Cordon":
                found = ("GW-ROUTE-GONE",) if routed else ("GW-N1-NOW", "NODE-FREE")
            case "AwaitNodeReady" | "RestoreGateways" if node in self.open and self.open[node].booted:
                return frozenset({"CLOCK-OFFSET"})
            case do if do in ACTS and node is not None:
                found = ("GW-N1-WITHOUT", "GW-ROUTE-GONE") if routed else ("GW-N1-NOW",)
            case "InstallChart" | "MoveServer" | "RunCommand" | "RestartControlPlane":
                found = ("GW-N1-NOW",)
        return frozenset(gate for gate in found if gate == "NODE-FREE" or serving)

    def _visit(self, step: Step, node: str, visit: Visit) -> None:
        match step.do:
            case "DrainGateways":
                self._leave(step, node)
                self._need(
                    step, not visit.cordoned and not visit.withdrawn, "drain comes before withdraw and cordon"
                )
                visit.drained, visit.waiting = True, set(self.gateways.get(node, {}))
            case "Withdraw":
                self._need(step, visit.drained, "drain comes before withdraw")
                visit.withdrawn = True
            case "AwaitWithdrawn":
                self._need(step, visit.withdrawn, "withdraw comes before waiting for it")
                visit.gone = True
            case "Cordon":
                self._need(step, not visit.cordoned, "it is cordoned already")
                self._need(step, visit.gone or not visit.drained, "the routes are gone before cordon")
                visit.cordoned = True
            case "NoteBoot":
                visit.noted = True
            case do if do in ACTS:
                if do == "Reboot":
                    self._reboot(step, node, visit)
                self._act(step, node, visit)
            case _:
                self._return(step, node, visit)

    def _leave(self, step: Step, node: str) -> None:
        others = [
            name for name, visit in self.open.items() if name != node and (visit.drained or visit.withdrawn)
        ]
        self._need(step, not others, f"{', '.join(others)} is still out: gateway nodes move one at a time")
        self._need(step, not self.owed, f"{' and '.join(self.owed)} after the last gateway node comes first")

    def _act(self, step: Step, node: str, visit: Visit) -> None:
        self._need(step, visit.cordoned, "cordon comes before anything is done to the node")
        if self._cuts(step, node):
            self._need(step, visit.gone, "its routes are gone before anything that they lead to")
        emptied = step.do != "RunCommand" or "EvictAll" in visit.done
        self._need(step, emptied, "a node is emptied before its command runs")
        visit.done.add(step.do)
        visit.ready = visit.noted = False
        if step.do == "Evict":
            for gateway, version in self.gateways.get(node, {}).items():
                if self.meshes.get(gateway) == step.effect["mesh"] and version != step.effect["version"]:
                    self.gateways[node][gateway] = step.effect["version"]
                    visit.waiting.discard(gateway)

    def _reboot(self, step: Step, node: str, visit: Visit) -> None:
        """A reboot takes everything on the node with it, and tells nobody when it is over."""
        lacks = {
            "is not cordoned": not visit.cordoned,
            "is not emptied": "EvictAll" not in visit.done,
            "still has routes that lead to it": self._cuts(step, node) and not visit.gone,
            "was not asked which boot it is in just before": not visit.noted,
        }
        wrong = [words for words, holds in lacks.items() if holds]
        if wrong:
            refute("VERIFY-REBOOT-01", f"{node} is rebooted and {', and '.join(wrong)}", step=step.key)
        visit.booted = True

    def _cuts(self, step: Step, node: str) -> bool:
        """Whether traffic that enters through this node would notice."""
        here = self.gateways.get(node, {})
        if node not in self.gateway_nodes or not here:
            return False
        match step.do:
            case "Evict":
                mesh, version = step.effect["mesh"], step.effect["version"]
                return any(self.meshes.get(g) == mesh and v != version for g, v in here.items())
            case "ReplaceAgents":
                return bool(CUTTING & set(step.effect["components"]))
            case "RenewProxies":
                return any(self.meshes.get(gateway) == step.effect["mesh"] for gateway in here)
            case _:
                return True

    def _return(self, step: Step, node: str, visit: Visit) -> None:
        match step.do:
            case "AwaitVersion":
                self._need(step, "RunCommand" in visit.done, "no command makes what it waits for")
            case "RestoreGateways":
                self._need(step, visit.drained, "only what was drained is restored")
                visit.waiting.clear()
                visit.booted = False
            case "AwaitNodeReady":
                self._need(
                    step,
                    not visit.waiting,
                    f"{', '.join(sorted(visit.waiting))} was drained and is not restored",
                )
                visit.ready, visit.booted = True, False
            case "Uncordon":
                self._need(step, visit.cordoned, "it is not cordoned")
                self._need(step, visit.ready, "it is seen Ready before uncordon")
                visit.cordoned = False
                if not visit.left:
                    del self.open[node]
            case "Advertise" | "AwaitAdvertised":
                self._announce(step, node, visit)
            case _:
                pass

    def _announce(self, step: Step, node: str, visit: Visit) -> None:
        if step.do == "Advertise":
            self._need(step, visit.withdrawn, "it was not withdrawn")
            ready = not visit.cordoned and visit.ready
            self._need(step, ready, "it is Ready and uncordoned before it announces")
            visit.advertised = True
            return
        self._need(step, visit.advertised, "advertise comes before waiting for it")
        del self.open[node]
        self.owed = ["ProbeVips", "Soak"]

    def _need(self, step: Step, holds: bool, message: str) -> None:
        if not holds:
            refute("VERIFY-ORDER-01", f"{step.do}: {message}", step=step.key)

    def end(self) -> None:
        """Raises Counterexample VERIFY-BACK-01 for a node that the plan leaves out."""
        for node, visit in self.open.items():
            if visit.left:
                refute("VERIFY-BACK-01", f"{node} is left {visit.left} at the end of the plan")
