"""What a test of the engine on the real cluster needs: a world, a plan, a run of it, and the record of what it did."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rollout.engine.clock import Tempo
from rollout.engine.journal import Journal, MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.ports import World
from rollout.engine.run import RunOutcome, apply, resume
from rollout.model.event import Event
from rollout.model.plan import Options, Plan
from rollout.planner.maintain import plan_maintain
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from tests.real.fleet import Fleet
from tests.real.witness import Change, NodeSeen, PodSeen, Seen, Witness, serving
from tests.real.world import PlayedHelm, engine_world

TEMPO = Tempo(poll=timedelta(milliseconds=50), gate_patience=timedelta(seconds=5))
REBOOT = ("reboot-kindly",)


def pilot_agent(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """KWOK carries commands in containers out on this machine: a gateway's health command must be one here."""
    folder.mkdir(parents=True)
    program = folder / "pilot-agent"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    patch.setenv("PATH", str(folder), prepend=":")


def audited(folder: Path, user: str) -> list[str]:
    """kube-apiserver's flags: every request of this user, and of no other, is written down."""
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [{"level": "Metadata", "users": [user]}, {"level": "None"}],
    }
    (folder / "audit.yaml").write_text(json.dumps(policy))
    return [
        f"--audit-policy-file={folder / 'audit.yaml'}",
        f"--audit-log-path={folder / 'audit.log'}",
        "--audit-log-mode=blocking",
    ]


@dataclass(frozen=True, slots=True)
class Stage:
    fleet: Fleet
    witness: Witness
    helm: PlayedHelm
    kubeconfig: Path
    audit: Path

    def world(self, step_timeout: timedelta | None = None, kubeconfig: Path | None = None) -> World:
        """Fresh adapters, as a process that is started has them."""
        made = engine_world(self.fleet, self.witness, self.helm, kubeconfig or self.kubeconfig)
        if step_timeout is None:
            return made
        pacing = replace(made.site.pacing, step_timeout=step_timeout)
        return replace(made, site=replace(made.site, pacing=pacing))

    def upgrade(self, world: World, version: str, limit: str = "") -> Plan:
        options = Options(limit=limit)
        return plan_upgrade(
            asked(world.site, observe(world), world.roles, ("istio", version), options=options)
        )

    def maintain(self, world: World, limit: str) -> Plan:
        options = Options(limit=limit)
        return plan_maintain(asked(world.site, observe(world), world.roles, options=options), REBOOT)

    def requests(self) -> list[dict[str, Any]]:
        """What the API server wrote down about the engine's user, from the beginning."""
        return [json.loads(line) for line in self.audit.read_text().splitlines()]


def unwatched(event: Event) -> None:
    del event


@dataclass(slots=True)
class Driven:
    """One run under a journal in memory, watched by ``hook`` at every event, and everything that came of it.

    ``crashed``: the API server is killed in it.
    """

    stage: Stage
    hook: Callable[[Event], None] = unwatched
    journal: Journal = field(default_factory=MemoryJournal)
    crashed: bool = False
    began: int = 0
    asked_before: int = 0

    def __post_init__(self) -> None:
        self.began = self.stage.witness.mark()
        self.asked_before = len(self.stage.requests())

    def apply(self, world: World, plan: Plan) -> RunOutcome:
        return apply(world, plan, self.journal, self.hook, tempo=TEMPO)

    def resume(self, world: World) -> RunOutcome:
        return resume(world, self.journal, self.hook, tempo=TEMPO)

    def record(self) -> Record:
        requests = self.stage.requests()[self.asked_before :]
        return Record(*self.stage.witness.since(self.began), requests)


@dataclass(frozen=True, slots=True)
class Record:
    """The watches' history and the audit log of one run, and what can be read from them."""

    before: dict[str, Seen]
    changes: Sequence[Change]
    requests: Sequence[dict[str, Any]]

    def fewest_serving(self, namespace: str, service: str) -> int:
        """Over every state that etcd went through."""
        state = dict(self.before)
        fewest = len(serving(state, namespace, service))
        for _, key, seen, there in self.changes:
            if there:
                state[key] = seen
            else:
                state.pop(key, None)
            if not isinstance(seen, PodSeen):
                fewest = min(fewest, len(serving(state, namespace, service)))
        return fewest

    def evictions(self) -> Counter[str]:
        """How often each pod's eviction was granted, by namespace and name."""
        return Counter(
            f"{r['objectRef']['namespace']}/{r['objectRef']['name']}"
            for r in self.requests
            if r.get("objectRef", {}).get("subresource") == "eviction" and _code(r) == 201
        )

    def refused(self) -> list[str]:
        """Requests that RBAC did not allow."""
        return [f"{r['verb']} {r['requestURI']}" for r in self.requests if _code(r) == 403]

    def told_to_wait(self) -> int:
        """How often the eviction API said 429."""
        return sum(_code(r) == 429 for r in self.requests)

    def going(self) -> list[PodSeen]:
        """Pods that began to terminate, in order, each once."""
        found: dict[str, PodSeen] = {}
        known = {k: s.going for k, s in self.before.items() if isinstance(s, PodSeen)}
        for _, key, seen, _ in self.changes:
            if isinstance(seen, PodSeen) and seen.going and not known.get(key):
                found.setdefault(key, seen)
        return list(found.values())

    def cordons(self) -> list[tuple[str, bool]]:
        """Nodes as they were cordoned (True) and given back (False), in order."""
        state = {k: s.cordoned for k, s in self.before.items() if isinstance(s, NodeSeen)}
        order: list[tuple[str, bool]] = []
        for _, key, seen, _ in self.changes:
            if isinstance(seen, NodeSeen) and seen.cordoned != state.get(key, False):
                order.append((seen.name, seen.cordoned))
                state[key] = seen.cordoned
        return order


def _code(request: dict[str, Any]) -> int:
    return int(request.get("responseStatus", {}).get("code", 0))


def marked(witness: Witness) -> list[str]:
    """Nodes that carry any mark a run could have left."""
    return [n.name for n in witness.nodes().values() if n.cordoned or n.excluded or n.owner]
