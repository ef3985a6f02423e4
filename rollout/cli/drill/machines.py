"""A fault of virtual machines: a clock of the node's own, which a namespace host can only pretend to have."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.cli.drill.faults import SkewedClock, run_script
from rollout.cli.drill.rotation import Watch, carry_out
from rollout.cli.drill.stage import DrillStage
from rollout.engine.outcome import RunOutcome
from rollout.model.plan import Plan


@dataclass(slots=True)
class WrongClock(SkewedClock):
    """The last node's own clock falls ten minutes behind while its chronyd runs; its handshakes fail, and no others do.

    It does so once the plan is made and signed: planning would refuse already, for that node takes no fresh leaf.
    Nothing may begin until chrony has put it right. The rotation then has to pass with that node in it.
    """

    def before(self, stage: DrillStage) -> None:
        self.victim = stage.site.nodes[-1].name

    def run(self, stage: DrillStage, plan: Plan, watch: Watch) -> RunOutcome | None:
        run_script(stage, self.victim, _TEN_MINUTES_BEHIND)
        return carry_out(stage, plan, watch)

    def mend(self, stage: DrillStage) -> None:
        run_script(stage, self.victim, _STEP)


_TEN_MINUTES_BEHIND = """
date --set '-10 minutes'
for try in $(seq 120); do
    chronyc burst 2/4 >/dev/null
    sleep 2
    chronyc -c tracking | awk -F, '{ a = $5 < 0 ? -$5 : $5; exit !(a > 60) }' && exit 0
done
chronyc tracking
exit 1
"""
"""Returns once chronyd has measured how wrong it is: until then it believes what it knew before the jump."""

_STEP = """
chronyc burst 4/4 >/dev/null
sleep 10
chronyc makestep
chronyc waitsync 60 0.2 0 1 >/dev/null
"""
