"""The plan from its start to its end: every state worked out from the steps, judged, and held to the stated proof."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rollout.verify.data import Rules
from rollout.verify.document import Step
from rollout.verify.evaluate import LEADERS, Judge, Pair, Running, Said
from rollout.verify.finding import Counterexample
from rollout.verify.fleet import CONTROL, ISSUERS, Component, Fleet, Mix
from rollout.verify.releases import Unplaced
from rollout.verify.visits import Visits


@dataclass(frozen=True, slots=True)
class Judged:
    """One distinct mix of versions: what each rule says, the pairs that break one, subjects that no rule can place."""

    mix: Mix
    said: frozenset[Said]
    pairs: frozenset[Pair]
    unplaced: frozenset[str]


@dataclass(frozen=True, slots=True)
class State:
    step: str
    configuration: int
    serving: int
    during: bool


LEADING = frozenset({"AwaitControlPlane", "AwaitVersion", "MoveServer", "RemoveChart", "ReplaceAgents"})
"""Effects that can move a control plane, or what counts as the subject's own version."""

CHARTS = frozenset({"InstallChart", "RemoveChart"})

Undone = tuple[str, str, str]
"""Subject, from, to: a leader's move taken back."""


class Replay:
    """``wave_control`` and ``wave_gateways`` collect, per wave, what PLAN-WINDOW-01 speaks of."""

    def __init__(self, start: dict[str, Any], rules: Rules, waves: int) -> None:
        self.rules = rules
        self.fleet = Fleet(start)
        self.visits = Visits(start)
        self.out_before = frozenset(start["out"]), frozenset(start["dark"])
        self.judged: list[Judged] = []
        self.undone: dict[Undone, str] = {}
        self.wave_control: list[set[str]] = [set() for _ in range(waves)]
        self.wave_gateways: list[set[str]] = [set() for _ in range(waves)]
        self._asked: set[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]] = set()
        self._leaks: set[Pair] = set()
        self._numbers: dict[tuple[tuple[Component, tuple[str, ...]], ...], int] = {}

    def states(self, steps: Iterator[Step]) -> Iterator[State]:
        """Raises Counterexample for the first state or step that breaks a rule."""
        yield self._state("start", during=False)
        self._restart("start", self.fleet.mix())
        for step in steps:
            self.visits.step(step, self.fleet.serving if self.fleet.takes(step) else 0)
            self._touches(step)
            self._sources(step)
            mixed = self._mixed(step)
            if mixed is not None:
                self._restart(step.key, mixed, coming=self.fleet.rolling(step))
                yield State(step.key, self._configuration(mixed, step.key), self.fleet.serving, True)
            before, counts = self.fleet.version, self._leaders() if step.do in LEADING else {}
            self.fleet.apply(step)
            if self.fleet.version != before:
                self._moves(step, counts)
            if self.fleet.version != before or step.do in CHARTS:
                self._restart(step.key, self.fleet.mix())
            if self.fleet.version != before:
                yield self._state(step.key, during=False)
        self.visits.end()

    def _state(self, step: str, *, during: bool) -> State:
        state = State(step, self._configuration(self.fleet.mix(), step), self.fleet.serving, during)
        self._n1(state)
        return state

    def _sources(self, step: Step) -> None:
        """A proxy comes back at what is injected then, and needs a control plane as long as it runs."""
        if step.do == "Evict" and self.fleet.kind(step.effect["mesh"]) in ("istio", "istio-ambient"):
            given, wanted = self.fleet.injected(step.effect["mesh"]), step.effect["version"]
            if given and wanted not in given:
                text = f"evicted to come back at {wanted}, and the charts give {' or '.join(given)}"
                raise Counterexample("VERIFY-PIN-01", text, step=step.key)
        if step.do == "RemoveChart":
            mesh, orphans = step.effect["subject"], self.fleet.orphans(step)
            if orphans:
                text = f"{mesh} proxies at {orphans} still run when their revision is removed"
                raise Counterexample("VERIFY-REVISION-01", text, step=step.key)

    def _restart(self, step: str, mix: Mix, coming: tuple[Component, str] | None = None) -> None:
        """A pod may restart at any time, and what it would get must be legal beside all that runs."""
        for name, kind in self.fleet.kinds.items():
            proxy = self.fleet.proxy(name)
            if self.fleet.methods[name] == "revision" or not mix.get(proxy):
                continue
            given = self.fleet.injected(name, coming[1] if coming and coming[0][0] == name else None)
            mine = {component: found for (owner, component), found in mix.items() if owner == name}
            mine[proxy[1]] = tuple(sorted({*mine[proxy[1]], *given}))
            self._restarted(step, Judge(self.rules, kind, self.fleet.methods[name]), mine)

    def _restarted(self, step: str, judge: Judge, mine: Running) -> None:
        key = judge.kind, tuple(sorted(mine.items()))
        if key in self._asked:
            return
        self._asked.add(key)
        try:
            found = judge.offences(mine, ())
        except Unplaced:
            return
        if step == "start":
            self._leaks |= found
        for rule, versions in sorted(found - self._leaks, key=lambda pair: pair[0]):
            names = ", ".join(f"{component} {version}" for component, version in sorted(versions))
            raise Counterexample(rule, f"a pod that restarts now would bring together {names}", step=step)

    def _mixed(self, step: Step) -> Mix | None:
        """Old and new beside each other while a fleet-wide wait is at work."""
        rolling = self.fleet.rolling(step)
        if rolling is None:
            return None
        key, version = rolling
        old = self.fleet.running(key)
        if self.fleet.methods.get(key[0]) == "revision" or not set(old) - {version}:
            return None
        return dict(sorted({**self.fleet.mix(), key: tuple(sorted({*old, version}))}.items()))

    def _configuration(self, mix: Mix, step: str) -> int:
        key = tuple(mix.items())
        if key not in self._numbers:
            self._numbers[key] = len(self.judged)
            self.judged.append(self._judge(mix))
            self._require(self.judged[-1], step)
        return self._numbers[key]

    def _judge(self, mix: Mix) -> Judged:
        apiservers = mix.get(("kubernetes", "apiserver"), ())
        said: set[Said] = set()
        pairs: set[Pair] = set()
        unplaced: set[str] = set()
        for name, kind in self.fleet.kinds.items():
            mine = {component: versions for (subject, component), versions in mix.items() if subject == name}
            judge = Judge(self.rules, kind, self.fleet.methods[name])
            try:
                found = set(judge.all(mine, apiservers))
                pairs |= judge.offences(mine, apiservers) if any(s.refuses for s in found) else set()
            except Unplaced:
                unplaced.add(name)
            else:
                said |= found
        return Judged(mix, frozenset(said), frozenset(pairs), frozenset(unplaced))

    def _require(self, judged: Judged, step: str) -> None:
        """What the start broke already may stay broken while it is repaired; nothing may join it."""
        first = self.judged[0].mix
        moved = {
            subject
            for (subject, component), found in judged.mix.items()
            if first.get((subject, component)) != found
        }
        if moved & judged.unplaced:
            text = f"{', '.join(sorted(moved & judged.unplaced))} moves at a version of no known line"
            raise Counterexample("PLAN-OBSERVED-02", text, step=step, state=_words(judged.mix))
        new = judged.pairs - self.judged[0].pairs
        if new:
            rule, versions = min(new, key=lambda pair: (pair[0], sorted(pair[1])))
            names = ", ".join(f"{component} {version}" for component, version in sorted(versions))
            raise Counterexample(rule, f"{names} run together", step=step, state=_words(judged.mix))

    def _n1(self, state: State) -> None:
        out, dark = self.out_before
        total = len(self.fleet.gateway_nodes)
        if (self.fleet.out - out or self.fleet.dark - dark) and state.serving < max(total - 1, 1):
            text = f"{state.serving} of {total} gateways serve, {max(total - 1, 1)} must"
            raise Counterexample(
                "PLAN-N1-01", text, step=state.step, state=f"out: {', '.join(sorted(self.fleet.out))}"
            )

    def _leaders(self) -> dict[Component, dict[str, int]]:
        """Control planes, issuers and everything whose version is its subject's: few pods, cheap to copy."""
        watched: dict[Component, dict[str, int]] = {}
        for name, kind in self.fleet.kinds.items():
            for component in {*LEADERS.get(kind, ()), *_control(kind)}:
                watched[name, component] = dict(self.fleet.counts[name, component])
        return watched

    def _moves(self, step: Step, before: dict[Component, dict[str, int]]) -> None:
        for (name, component), old in before.items():
            new = self.fleet.counts[name, component]
            if {v: c for v, c in old.items() if c} == {v: c for v, c in new.items() if c}:
                continue
            if component in _control(self.fleet.kinds[name]):
                self.wave_control[step.wave].add(name)
            if component in LEADERS.get(self.fleet.kinds[name], ()):
                self._takes_back(step, name, old, new)

    def _takes_back(self, step: Step, name: str, old: dict[str, int], new: dict[str, int]) -> None:
        lost = [v for v, count in old.items() if count > new[v]]
        for version in (v for v, count in new.items() if count > old.get(v, 0)):
            beside = [v for v, count in old.items() if count > 0 and v != version]
            for gone in lost or beside:
                self.undone.setdefault((name, version, gone), step.key)

    def _touches(self, step: Step) -> None:
        """NaiveReplace says several nodes at once; a drain without a withdraw leads to neither."""
        match step.do:
            case "Withdraw" | "Evict" | "EvictAll" | "ReplaceAgents" | "RenewProxies":
                nodes = {step.effect["node"]}
            case "NaiveReplace":
                nodes = set(step.effect["nodes"])
            case _:
                return
        self.wave_gateways[step.wave] |= nodes & self.fleet.gateway_nodes


def _control(kind: str) -> tuple[str, ...]:
    issuer = ISSUERS.get(kind)
    control = CONTROL.get(kind, "control-plane")
    return (control, issuer) if issuer else (control,)


def _words(mix: Mix) -> str:
    return "; ".join(f"{subject} {component} {' and '.join(v)}" for (subject, component), v in mix.items())
