"""Stands between the engine and the rack in memory, and breaks one thing at the right moment. All simulated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import inf
from threading import Event
from typing import Any, cast

from rollout.engine.ports import Charts, Cluster, Commands, Metrics, Probe, Switches, World
from rollout.errors import StepFailed, Unreachable
from rollout.model.observed import ProbeResult
from tests.chaos.faults import Fault, Kind
from tests.unit.fake_world import FakeRack, world


class Killed(BaseException):
    """As ``kill -9``: nothing after it runs in this process."""


@dataclass(slots=True)
class Saboteur:
    """``on`` while the fault lasts. ``taken`` counts accepted evictions and deletions of each pod."""

    rack: FakeRack
    fault: Fault
    stop: Event = field(default_factory=Event)
    due: float | None = None
    until: float = inf
    begun: bool = False
    on: bool = False
    taken: Counter[str] = field(default_factory=Counter)
    stuck: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)

    def step_started(self, number: int) -> None:
        """The fault comes at its step, once; with no delay it is there before the step's gates look."""
        if number == self.fault.at and self.due is None:
            self.due = self.rack.time + self.fault.delay
            self.tick()

    def tick(self) -> None:
        if not self.begun and self.due is not None and self.rack.time >= self.due:
            self._begin()
        if self.on and self.rack.time >= self.until:
            self.repair()
        if self.on:
            self._hold_down()

    def _begin(self) -> None:
        self.begun = self.on = True
        if self.fault.lasts is not None:
            self.until = self.rack.time + self.fault.lasts
        match self.fault.kind:
            case Kind.KILLED:
                self.on = False
                raise Killed
            case Kind.STOPPED:
                self.stop.set()
            case Kind.FOREIGN_CORDON:
                self._cordon()
            case Kind.NODE_NOT_READY:
                self._node(ready=False)
            case _:
                pass

    def repair(self) -> None:
        """What an operator does, or what passes by itself."""
        self.on = False
        for name in self.stuck & self.rack.pods.keys():
            self.rack.pods[name].ready_at = self.rack.time + self.rack.start_takes
        self.stuck.clear()
        match self.fault.kind:
            case Kind.FOREIGN_CORDON:
                self._uncordon()
            case Kind.NODE_NOT_READY:
                self._node(ready=True)
            case Kind.STOPPED:
                self.stop.clear()
            case _:
                pass

    def repair_silently(self) -> None:
        """What must be well for an abort to finish: everything but somebody else's cordon."""
        if self.fault.kind is not Kind.FOREIGN_CORDON:
            self.repair()

    def _hold_down(self) -> None:
        """Once a tick, for what the rack would otherwise put right by itself."""
        match self.fault.kind:
            case Kind.NEVER_READY:
                self._stick(lambda pod: pod.ready_at > self.rack.time)
            case Kind.NODE_NOT_READY:
                self._stick(lambda pod: pod.gone_at is None)
            case Kind.BGP_FLAP | Kind.GATEWAY_LOST:
                for gateway in self.rack.site.gateways:
                    for victim in self.fault.victim.split(","):
                        self.rack.rib[gateway.name, victim] = False
            case _:
                pass

    def _stick(self, chosen: Callable[[Any], bool]) -> None:
        for pod in self.rack.pods.values():
            if pod.node == self.fault.victim and pod.gateway and chosen(pod):
                pod.ready_at = inf
                self.stuck.add(pod.name)

    def _node(self, *, ready: bool) -> None:
        self.rack.nodes[self.fault.victim] = replace(self.rack.nodes[self.fault.victim], ready=ready)

    def _cordon(self) -> None:
        """Only a node that nobody has cordoned: a second cordon of one node cannot be told from the first."""
        state = self.rack.nodes[self.fault.victim]
        if not state.cordoned:
            self.rack.nodes[self.fault.victim] = replace(state, cordoned=True)
            self.foreign.add(self.fault.victim)

    def _uncordon(self) -> None:
        for name in self.foreign:
            state = replace(self.rack.nodes[name], cordoned=False)
            self.rack.nodes[name] = state if state.excluded else replace(state, owner=None)
        self.foreign.clear()

    def world(self) -> World:
        """The world as the engine gets it: every call passes here first."""
        real = world(self.rack)
        return replace(
            real,
            cluster=cast(Cluster, Guarded(real.cluster, self.ask_cluster)),
            switches=cast(Switches, Guarded(real.switches, self.ask_switch)),
            charts=cast(Charts, Guarded(real.charts, self.ask_helm)),
            probe=cast(Probe, Guarded(real.probe, self.ask_probe)),
            commands=cast(Commands, Guarded(real.commands, self.ask_command)),
            metrics=cast(Metrics, Prometheus(self)),
        )

    def ask_command(self, verb: str, call: Call, host: str, argv: Any, *more: Any) -> Any:
        """A chronyd that has lost its sources: not synchronised, as its CSV says it."""
        del verb
        answer = call(host, argv, *more)
        if self.on and self.fault.kind is Kind.CLOCK_OUT and host == self.fault.victim and "chronyc" in argv:
            fields = answer.output.strip().split(",")
            return replace(answer, output=",".join([*fields[:-1], "Not synchronised"]))
        return answer

    def alerts(self) -> tuple[dict[str, str], ...]:
        firing = {"alertname": "KubeAPIDown", "alertstate": "firing", "severity": "critical"}
        return (firing,) if self.on and self.fault.kind is Kind.ALERT_FIRING else ()

    def ask_cluster(self, verb: str, call: Call, *args: Any, **kwargs: Any) -> Any:
        """A foreign cordon is told from ours by the real adapter (the marks annotation); the fake cannot."""
        if self.on and self.fault.kind is Kind.API_SILENT:
            raise Unreachable("did not answer", where="kubernetes", hint="look at it")
        if self.on and self.fault.kind is Kind.EVICTION_REFUSED and verb == "evict":
            return False
        if verb in ("cordon", "uncordon") and args[0] in self.foreign:
            raise StepFailed(f"the node {args[0]} was cordoned by someone else; left as it is", where=args[0])
        answer = call(*args, **kwargs)
        if (verb == "evict" and answer) or verb == "delete_pod":
            self.taken[args[1]] += 1
        return answer

    def ask_switch(self, verb: str, call: Call, *args: Any, **kwargs: Any) -> Any:
        del verb
        if self.on and self.fault.kind is Kind.TOR_SILENT and args[0].name == self.fault.victim:
            raise Unreachable("did not answer", where=self.fault.victim, hint="look at it")
        return call(*args, **kwargs)

    def ask_helm(self, verb: str, call: Call, *args: Any, **kwargs: Any) -> Any:
        if verb == "install" and self.on and self.fault.kind is Kind.HELM_FAILS:
            self.on = False
            raise StepFailed("helm exited with 1: context deadline exceeded", where="helm", hint="look at it")
        if verb == "install" and self.on and self.fault.kind is Kind.HELM_PENDING:
            self.on = False
            with self._pending(args[0]):
                raise Killed
        return call(*args, **kwargs)

    @contextmanager
    def _pending(self, request: Any) -> Iterator[None]:
        key = request.namespace, request.release
        found = self.rack.charts[key]
        self.rack.charts[key] = replace(found, status="pending-upgrade", revision=found.revision + 1)
        yield

    def ask_probe(self, verb: str, call: Call, *args: Any, **kwargs: Any) -> Any:
        del verb
        if self.on and self.fault.kind is Kind.PROBE_SILENT:
            raise Unreachable("did not answer", where="probe", hint="look at it")
        answer: ProbeResult = call(*args, **kwargs)
        if self.on and self.fault.kind is Kind.PROBE_LOSS:
            return replace(answer, ok=answer.ok - (answer.tried + 2) // 3, detail="1 in 3 x timeout")
        return answer


Call = Callable[..., Any]


class Guarded:
    """A port behind a guard: ``guard(verb, call, ...)`` decides whether the call is made and what it answers."""

    def __init__(self, inner: object, guard: Callable[..., Any]) -> None:
        self._inner = inner
        self._guard = guard

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        call = getattr(self._inner, verb)
        return lambda *args, **kwargs: self._guard(verb, call, *args, **kwargs)


class Prometheus:
    """Fires what the saboteur says, and nothing else."""

    def __init__(self, saboteur: Saboteur) -> None:
        self._saboteur = saboteur

    def series(self, source: object) -> tuple[dict[str, str], ...]:
        del source
        return self._saboteur.alerts()
