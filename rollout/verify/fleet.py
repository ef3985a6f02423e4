"""The fleet replayed: one mutable picture that every step changes, from the start that the plan states."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from rollout.verify.document import Step
from rollout.verify.evaluate import LEADERS

Component = tuple[str, str]
Mix = dict[Component, tuple[str, ...]]

CONTROL = {
    "istio": "istiod",
    "istio-ambient": "istiod",
    "linkerd": "control-plane",
    "cilium": "operator",
    "consul": "control-plane",
    "metallb": "controller",
    "kubernetes": "apiserver",
}
ISSUERS = {"consul": "server"}
PROXIES = {"consul": "dataplane"}
CHARTED = {"consul"}
"""The control plane has its chart's number."""
INJECTING = {"istio", "istio-ambient", "linkerd"}


class Fleet:
    """``version`` counts changes, so that a caller sees cheaply whether a step made a new state."""

    def __init__(self, start: dict[str, Any]) -> None:
        self.kinds: dict[str, str] = {s["name"]: s["kind"] for s in start["subjects"]}
        self.methods: dict[str, str] = {s["name"]: s["method"] for s in start["subjects"]}
        self.held: defaultdict[str, dict[Component, set[str]]] = defaultdict(dict)
        self.counts: defaultdict[Component, Counter[str]] = defaultdict(Counter)
        self.charts = {
            (r["subject"], r["namespace"], r["release"]): (r["version"], None) for r in start["releases"]
        }
        self.meshes = {g["name"]: g["subject"] for g in start["gateways"]}
        self.gateway_nodes = frozenset(start["gateway_nodes"])
        self.out, self.dark = set(start["out"]), set(start["dark"])
        self.version = 0
        for group in start["groups"]:
            for holder in group["holders"]:
                self._add(holder, (group["subject"], group["component"]), group["version"])

        self.native = {key for key, found in self.counts.items() if found}

    @property
    def serving(self) -> int:
        return 0 if self.dark else len(self.gateway_nodes) - len(self.out)

    def running(self, key: Component) -> tuple[str, ...]:
        return tuple(sorted(v for v, count in self.counts[key].items() if count > 0 and v))

    def mix(self) -> Mix:
        """Every component that runs, with its distinct versions."""
        found = {key: self.running(key) for key in sorted(self.counts)}
        return {key: versions for key, versions in found.items() if versions}

    def kind(self, subject: str) -> str:
        return self.kinds.get(subject, subject)

    def proxy(self, mesh: str) -> Component:
        return mesh, PROXIES.get(self.kind(mesh), "proxy")

    def control(self, mesh: str) -> Component:
        return mesh, CONTROL.get(self.kind(mesh), "control-plane")

    def rolling(self, step: Step) -> tuple[Component, str] | None:
        """What a fleet-wide wait moves, and where to: meanwhile old and new run beside each other."""
        if step.do == "AwaitControlPlane":
            mesh = step.effect["mesh"]
            if self.kind(mesh) not in CHARTED:
                return self.control(mesh), step.effect["version"]
            charts = {version for (owner, *_), (version, _) in self.charts.items() if owner == mesh}
            return (self.control(mesh), charts.pop()) if len(charts) == 1 else None
        if step.do == "AwaitVersion" and step.effect["node"] is None:
            return (step.effect["subject"], step.effect["component"]), step.effect["version"]
        return None

    def takes(self, step: Step) -> bool:
        """A chart that is new, or there as wanted, takes nothing away."""
        if step.do != "InstallChart":
            return True
        effect = step.effect
        here = self.charts.get((effect["subject"], effect["namespace"], effect["release"]))
        return here is not None and here != (effect["version"], effect["data_plane"])

    def apply(self, step: Step) -> None:  # noqa: C901 - one match over the effects that move something
        effect = step.effect
        match step.do:
            case "Withdraw" if effect["node"] in self.gateway_nodes:
                self._mark(self.out | {effect["node"]}, self.dark)
            case "Advertise":
                self._mark(self.out - {effect["node"]}, self.dark)
            case "Evict":
                self._move(effect["node"], self.proxy(effect["mesh"]), effect["version"])
            case "EvictAll":
                self._scatter(effect["node"])
            case "ReplaceAgents":
                for component in effect["components"]:
                    self._move(effect["node"], (effect["subject"], component), effect["version"])
            case "AwaitVersion" if effect["node"] is not None:
                key = effect["subject"], effect["component"]
                self._move(effect["node"], key, effect["version"], appears=True)
            case "AwaitVersion" | "AwaitControlPlane":
                self._rolled(step)
            case "MoveServer":
                self._server(effect)
            case "InstallChart":
                name = effect["subject"], effect["namespace"], effect["release"]
                self.charts[name] = effect["version"], effect["data_plane"]
                self._rolls(effect)
            case "RemoveChart":
                self._remove((effect["subject"], effect["namespace"], effect["release"]))
            case "AwaitGateways":
                self._serve(effect["gateway"])
            case "NaiveReplace":
                self._naive(effect["nodes"], effect["mesh"])
            case _:
                pass

    def injected(self, mesh: str, coming: str | None = None) -> tuple[str, ...]:
        """What a proxy gets that starts now, as far as the charts and the control plane tell.

        ``coming`` is what the control plane is on its way to: its charts are there before it is.
        """
        kind = self.kind(mesh)
        if kind not in INJECTING:
            return ()
        pins = {pin or "" for (owner, *_), (_, pin) in self.charts.items() if owner == mesh} - {""}
        if pins and self.methods.get(mesh) != "revision":
            return tuple(sorted(pins))
        return (coming,) if coming else self.running((mesh, LEADERS[kind][0]))

    def orphans(self, step: Step) -> str:
        """The version of proxies that the removed chart is the revision of; empty where nothing depends on it."""
        effect = step.effect
        mesh = effect["subject"]
        name = mesh, effect["namespace"], effect["release"]
        version = self.charts.get(name, ("", None))[0]
        if any(owner[0] == mesh and v == version for owner, (v, _) in self.charts.items() if owner != name):
            return ""
        revision = self.methods.get(mesh) == "revision" and version in self.running(self.control(mesh))
        return version if revision and version in self.running(self.proxy(mesh)) else ""

    def _mark(self, out: set[str], dark: set[str]) -> None:
        if (out, dark) != (self.out, self.dark):
            self.out, self.dark = out, dark
            self.version += 1

    def _add(self, holder: str, key: Component, version: str) -> None:
        versions = self.held[holder].setdefault(key, set())
        if version not in versions:
            versions.add(version)
            self.counts[key][version] += 1
            self.version += 1

    def _drop(self, holder: str, key: Component, version: str) -> None:
        self.held[holder][key].discard(version)
        self.counts[key][version] -= 1
        self.version += 1

    def _move(self, holder: str, key: Component, version: str, *, appears: bool = False) -> None:
        """Everything the holder runs of the component becomes ``version``; nothing appears unless it is said to."""
        old = self.held[holder].get(key, set())
        if not old and not appears:
            return
        for gone in old - {version}:
            self._drop(holder, key, gone)
        self._add(holder, key, version)

    def _rolled(self, step: Step) -> None:
        rolling = self.rolling(step)
        if rolling is None:
            return
        key, version = rolling
        if step.do == "AwaitControlPlane" and self.methods.get(key[0]) == "revision":
            if self.counts[key][version] <= 0:
                self._add(f"{key[1]} {version}", key, version)
            return
        holders = [name for name, held in self.held.items() if held.get(key)]
        for holder in holders or [key[1]]:
            self._move(holder, key, version, appears=True)

    def _server(self, effect: dict[str, Any]) -> None:
        key, version = (effect["subject"], effect["component"]), effect["version"]
        pod = f"{effect['workload']}-{effect['ordinal']}"
        if not self.held[pod].get(key):
            old = sorted(name for name, held in self.held.items() if held.get(key, set()) - {version})
            pod = old[-1] if old else pod
        self._move(pod, key, version, appears=True)

    def _rolls(self, effect: dict[str, Any]) -> None:
        key = self.control(effect["subject"])
        holders = sorted(name for name, held in self.held.items() if held.get(key))
        if self.kind(effect["subject"]) in CHARTED and holders:
            self._add(holders[0], key, effect["version"])

    def _remove(self, name: tuple[str, str, str]) -> None:
        """With a revision's chart goes its control plane, if another one stays; with any, what was not there before."""
        version = self.charts.pop(name, ("", None))[0]
        for holder, held in self.held.items():
            for key in [k for k, found in held.items() if k[0] == name[0] and k not in self.native and found]:
                for gone in list(held[key]):
                    self._drop(holder, key, gone)
        key = self.control(name[0])
        kept = {v for (owner, *_), (v, _) in self.charts.items() if owner == name[0]}
        if version in self.running(key) and version not in kept and len(self.running(key)) > 1:
            for holder in [n for n, held in self.held.items() if version in held.get(key, ())]:
                self._drop(holder, key, version)

    def _scatter(self, node: str) -> None:
        """Evicted pods come back somewhere with what is injected now; DaemonSet gateways keep what they had."""
        for mesh in self.kinds:
            if self.held[node].get(self.proxy(mesh)):
                self._join(node, self.proxy(mesh), self.injected(mesh))

    def _join(self, node: str, key: Component, versions: Iterable[str]) -> None:
        for version in versions:
            self._add(node, key, version)

    def _serve(self, gateway: str) -> None:
        if self.dark or self.out:
            mesh = self.meshes[gateway]
            for node in self.gateway_nodes:
                if not self.held[node].get(self.proxy(mesh)):
                    self._join(node, self.proxy(mesh), self.injected(mesh))
            self._mark(set(), self.dark - {gateway})

    def _naive(self, nodes: list[str], mesh: str) -> None:
        key = self.proxy(mesh)
        target = (self.injected(mesh) or self.running(key))[-1:]
        for node in nodes:
            for version in target:
                self._move(node, key, version)
        self._mark(self.out | (set(nodes) & self.gateway_nodes), self.dark)
