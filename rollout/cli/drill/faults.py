"""What can be made to go wrong in a drill, and what must come of it: held at the right check, mended, finished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from lab.mesh.drill import Running, corrupt_trust, freeze, pair_of, stop_signer, trust
from pki.rotation.phase import Phase
from rollout.cli.drill.rotation import Watch, go_on, phase_of_step
from rollout.cli.drill.stage import DrillStage
from rollout.engine.outcome import RunOutcome, Word
from rollout.errors import StepFailed
from rollout.model.event import Event, StepStarted
from rollout.model.mesh import MeshKind
from rollout.model.plan import Plan

WALKED = frozenset((MeshKind.ISTIO, MeshKind.LINKERD))
"""Meshes whose rotation restarts pods, node by node. Consul's servers do theirs alone, while the run waits."""


class Fault(Protocol):
    """``meshes`` are those that it can befall. ``run`` may carry the plan out in its own way (None: as usual);
    ``after`` is told how it ended, and may mend what it broke and go on. ``victim``: the node whose handshakes fail by
    the fault's own hand; those are no verdict on the rotation, all others are."""

    @property
    def name(self) -> str: ...
    @property
    def victim(self) -> str: ...
    @property
    def meshes(self) -> frozenset[MeshKind]: ...
    def before(self, stage: DrillStage) -> None: ...
    def during(self, stage: DrillStage, event: Event) -> None: ...
    def run(self, stage: DrillStage, plan: Plan, watch: Watch) -> RunOutcome | None: ...
    def after(self, stage: DrillStage, outcome: RunOutcome, watch: Watch) -> RunOutcome: ...
    def document(self) -> Mapping[str, object]: ...


@dataclass(slots=True)
class NoFault:
    """Nothing goes wrong; the base of those that do."""

    name: str = ""
    victim: str = ""
    meshes: frozenset[MeshKind] = frozenset((*WALKED, MeshKind.CONSUL))

    def before(self, stage: DrillStage) -> None:
        del stage

    def during(self, stage: DrillStage, event: Event) -> None:
        del stage, event

    def run(self, stage: DrillStage, plan: Plan, watch: Watch) -> RunOutcome | None:
        del stage, plan, watch
        return None

    def after(self, stage: DrillStage, outcome: RunOutcome, watch: Watch) -> RunOutcome:
        del stage, watch
        return outcome

    def document(self) -> Mapping[str, object]:
        return {"name": self.name}


@dataclass(slots=True)
class Holding(NoFault):
    """The run must be held by ``check``; then the fault is mended and the run resumed."""

    check: str = ""
    detail: str = ""

    def mend(self, stage: DrillStage) -> None:
        raise NotImplementedError

    def after(self, stage: DrillStage, outcome: RunOutcome, watch: Watch) -> RunOutcome:
        found = next((finding for finding in outcome.findings if finding.check == self.check), None)
        if outcome.word is Word.INTERRUPTED:
            return outcome
        if outcome.word is not Word.HELD or found is None:
            text = f"{self.name} should have been held by {self.check}; the run ended as {outcome.word}"
            raise StepFailed(f"{text}: {outcome.detail}", where="drill")
        self.detail = found.detail
        self.held(stage)
        self.mend(stage)
        return go_on(stage, watch)

    def held(self, stage: DrillStage) -> None:
        """What must be so while it is held. Raises StepFailed."""
        del stage

    def document(self) -> Mapping[str, object]:
        return {"name": self.name, "held_by": self.check, "detail": self.detail}


@dataclass(slots=True)
class StuckPod(Holding):
    """From the switch on one pod renews nothing and does not end when it is told to."""

    name: str = "stuck-pod"
    meshes: frozenset[MeshKind] = WALKED
    check: str = "PKI-CENSUS"
    pod: str = ""

    def during(self, stage: DrillStage, event: Event) -> None:
        if not self.pod and _begins(event, Phase.SWITCH):
            self.pod = pair_of(stage.site.folder, stage.site).pod.name
            freeze(stage.site.folder, stage.site, self.pod)

    def mend(self, stage: DrillStage) -> None:
        freeze(stage.site.folder, stage.site, self.pod, frozen=False)


@dataclass(slots=True)
class TamperedTrust(Holding):
    """In mid-drain the old root is taken out of one verifier by hand: it refuses its peers' old leaves from then on."""

    name: str = "tampered-trust"
    meshes: frozenset[MeshKind] = WALKED
    check: str = "PKI-TRUST"

    def during(self, stage: DrillStage, event: Event) -> None:
        if not self.victim and _begins(event, Phase.DRAIN):
            folder, old = stage.site.folder, stage.trust.anchors((stage.generation,))
            self.victim = pair_of(folder, stage.site).pod.node
            pair = corrupt_trust(folder, stage.site, self.victim, old)
            stage.until(lambda: _still(pair, old), f"{pair.pod.name} without the old root")

    def held(self, stage: DrillStage) -> None:
        """Not plunged on: the old root is still in the bundle, for everybody else's old leaves."""
        if not set(stage.trust.anchors((stage.generation,))) <= set(stage.trust.declared().published):
            raise StepFailed("the old root was taken out of the bundle all the same", where="drill")

    def mend(self, stage: DrillStage) -> None:
        corrupt_trust(stage.site.folder, stage.site, self.victim, ())


@dataclass(slots=True)
class DyingSigner(NoFault):
    """Every signer of the mesh is killed as the switch begins; their kubelets start them again."""

    name: str = "dying-signer"
    killed: tuple[str, ...] = ()

    def during(self, stage: DrillStage, event: Event) -> None:
        if not self.killed and _begins(event, Phase.SWITCH):
            self.killed = stop_signer(stage.site.folder, stage.site, stage.mesh)

    def document(self) -> Mapping[str, object]:
        return {"name": self.name, "killed": len(self.killed)}


@dataclass(slots=True)
class FullConntrack(Holding):
    """The connection table of the first node to leave is 95 % full: its limit is lowered to that. The limit of a
    namespace host is SIMULATED, for they share the kernel's; a virtual machine's is its own."""

    name: str = "full-conntrack"
    meshes: frozenset[MeshKind] = WALKED
    check: str = "CONNTRACK-ROOM"
    node: str = ""
    limit: str = ""

    def during(self, stage: DrillStage, event: Event) -> None:
        """At the first node that is to leave: the step has begun, and its gates are asked next."""
        if self.node or not isinstance(event, StepStarted) or self.check not in event.step.gates:
            return
        self.node = event.step.node or ""
        self.limit = self._sysctl(stage, "-n", _MAX)
        used = int(self._sysctl(stage, "-n", _COUNT))
        self._sysctl(stage, "-q", "-w", f"{_MAX}={used * 20 // 19 + 1}")

    def mend(self, stage: DrillStage) -> None:
        self._sysctl(stage, "-q", "-w", f"{_MAX}={self.limit}")

    def _sysctl(self, stage: DrillStage, *words: str) -> str:
        found = stage.world.commands.run(self.node, ("sysctl", *words))
        if found.exit_code:
            raise StepFailed(f"sysctl failed: {found.output}", where=self.node)
        return found.output.strip()


@dataclass(slots=True)
class SkewedClock(Holding):
    """One node's time source is half a minute ahead: the rotation must not begin. A real chronyd serves that time."""

    name: str = "skewed-clock"
    check: str = "CLOCK-OFFSET"
    words: list[str] = field(default_factory=list)

    def before(self, stage: DrillStage) -> None:
        victim, liar = stage.site.nodes[0], stage.site.nodes[1]
        good = stage.site.clock.servers[0]
        run_script(stage, liar.name, _LIAR.format(good=good))
        run_script(stage, victim.name, _OFFSET + _BELIEVE.replace("LIAR", str(liar.fabric_address)))

    def held(self, stage: DrillStage) -> None:
        if stage.trust.signers() != stage.signers:
            raise StepFailed("a new authority was minted under a wrong clock", where="drill")

    def mend(self, stage: DrillStage) -> None:
        run_script(stage, stage.site.nodes[0].name, _OFFSET + _DISBELIEVE)
        run_script(stage, stage.site.nodes[1].name, "kill $(cat /run/rackroll-skew.pid)")


def run_script(stage: DrillStage, node: str, script: str) -> None:
    """A script of the drill's own on a lab host; nothing of a site file is in it but addresses."""
    found = stage.world.commands.run(node, ("sh", "-ec", script))
    if found.exit_code:
        raise StepFailed(f"the fault could not be made: {found.output}", where=node)


def _still(pair: Running, anchors: tuple[str, ...]) -> str | None:
    left = set(anchors) & set(trust(pair)["roots"])
    return f"it still has {len(left)}" if left else None


def _begins(event: Event, phase: Phase) -> bool:
    return isinstance(event, StepStarted) and phase_of_step(event.step.key) is phase


_MAX = "net.netfilter.nf_conntrack_max"
_COUNT = "net.netfilter.nf_conntrack_count"

_LIAR = """
cat > /run/rackroll-skew.conf <<END
server {good} iburst minpoll 0 maxpoll 2 offset 30
allow
local stratum 8
port 1123
cmdport 0
bindcmdaddress /run/rackroll-skew.sock
pidfile /run/rackroll-skew.pid
END
chronyd -x -f /run/rackroll-skew.conf
sleep 4
"""

_OFFSET = r"""
furthest() {
  chronyc -c tracking | awk -F, '{ a = $5 < 0 ? -$5 : $5; b = $6 < 0 ? -$6 : $6; print (a > b ? a : b) }'
}
until_it() {
  for try in $(seq 60); do
    furthest | awk "{ exit !(\$1 $1) }" && return 0
    chronyc burst 1/2 >/dev/null
    sleep 1
  done
  chronyc -c tracking
  return 1
}
"""

_BELIEVE = """
nft add table ip rackroll_skew
nft add chain ip rackroll_skew output '{ type nat hook output priority -100 ; }'
nft add rule ip rackroll_skew output udp dport 123 dnat to LIAR:1123
until_it '> 1'
"""

_DISBELIEVE = """
nft delete table ip rackroll_skew
until_it '< 0.02'
"""

HOLDS_SOON = frozenset({"stuck-pod", "tampered-trust"})
"""Faults that a run waits out for ``pacing.stepTimeout``: their drills have a shorter one."""
