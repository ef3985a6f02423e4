"""What can be made to go wrong in a drill, and what must come of it: held at the right check, mended, finished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from lab.mesh.drill import corrupt_trust, freeze, pair_of, stop_signer
from pki.rotation.phase import Phase
from rollout.cli.drill.rotation import Watch, phase_of_step
from rollout.cli.drill.stage import DrillStage
from rollout.engine.outcome import RunOutcome, Word
from rollout.engine.run import resume
from rollout.errors import StepFailed
from rollout.model.event import Event, StepStarted
from rollout.model.plan import Plan


class Fault(Protocol):
    """``run`` may carry the plan out in its own way (None: as usual); ``after`` is told how it ended, and may mend
    what it broke and go on. ``harms``: handshakes fail by its own hand, and are no verdict on the rotation."""

    @property
    def name(self) -> str: ...
    @property
    def harms(self) -> bool: ...
    def before(self, stage: DrillStage) -> None: ...
    def during(self, stage: DrillStage, event: Event) -> None: ...
    def run(self, stage: DrillStage, plan: Plan, watch: Watch) -> RunOutcome | None: ...
    def after(self, stage: DrillStage, outcome: RunOutcome, watch: Watch) -> RunOutcome: ...
    def document(self) -> Mapping[str, object]: ...


@dataclass(slots=True)
class NoFault:
    """Nothing goes wrong; the base of those that do."""

    name: str = ""
    harms: bool = False

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
        if outcome.word is not Word.HELD or found is None:
            text = f"{self.name} should have been held by {self.check}; the run ended as {outcome.word}"
            raise StepFailed(f"{text}: {outcome.detail}", where="drill")
        self.detail = found.detail
        self.mend(stage)
        return resume(stage.world, observer=watch)

    def document(self) -> Mapping[str, object]:
        return {"name": self.name, "held_by": self.check, "detail": self.detail}


@dataclass(slots=True)
class StuckPod(Holding):
    """From the switch on one pod renews nothing and does not end when it is told to."""

    name: str = "stuck-pod"
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
    harms: bool = True
    check: str = "PKI-TRUST"
    node: str = ""

    def during(self, stage: DrillStage, event: Event) -> None:
        if not self.node and _begins(event, Phase.DRAIN):
            self.node = pair_of(stage.site.folder, stage.site).pod.node
            old = stage.trust.anchors((1,))
            corrupt_trust(stage.site.folder, stage.site, self.node, old)

    def mend(self, stage: DrillStage) -> None:
        corrupt_trust(stage.site.folder, stage.site, self.node, ())


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
    """One node's connection table is nearly full. SIMULATED: its limit is lowered; namespaces share the kernel's."""

    name: str = "full-conntrack"
    check: str = "CONNTRACK-ROOM"
    limit: str = ""

    def before(self, stage: DrillStage) -> None:
        self.limit = self._sysctl(stage, "-n", _MAX)
        used = int(self._sysctl(stage, "-n", _COUNT))
        self._sysctl(stage, "-q", "-w", f"{_MAX}={max(used, 10)}")

    def mend(self, stage: DrillStage) -> None:
        self._sysctl(stage, "-q", "-w", f"{_MAX}={self.limit}")

    def _sysctl(self, stage: DrillStage, *words: str) -> str:
        node = stage.site.nodes[0].name
        found = stage.world.commands.run(node, ("sysctl", *words))
        if found.exit_code:
            raise StepFailed(f"sysctl failed: {found.output}", where=node)
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
        _shell(stage, liar.name, _LIAR.format(good=good))
        _shell(stage, victim.name, _OFFSET + _BELIEVE.replace("LIAR", str(liar.fabric_address)))

    def mend(self, stage: DrillStage) -> None:
        _shell(stage, stage.site.nodes[0].name, _OFFSET + _DISBELIEVE)
        _shell(stage, stage.site.nodes[1].name, "kill $(cat /run/rackroll-skew.pid)")


def _shell(stage: DrillStage, node: str, script: str) -> None:
    """A script of the drill's own on a lab host; nothing of a site file is in it but addresses."""
    found = stage.world.commands.run(node, ("sh", "-ec", script))
    if found.exit_code:
        raise StepFailed(f"the fault could not be made: {found.output}", where=node)


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


def faults() -> Mapping[str, type[NoFault]]:
    from rollout.cli.drill.crash import Crash

    found = (SkewedClock, StuckPod, DyingSigner, Crash, FullConntrack, TamperedTrust)
    return MappingProxyType({each().name: each for each in found})
