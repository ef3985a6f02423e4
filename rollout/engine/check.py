"""Checks outside a run: the registry, the facts and the judges that gates use, asked by a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rollout.checks.catalogue import catalogue
from rollout.checks.registry import Check
from rollout.engine.aims import Aims
from rollout.engine.context import Run
from rollout.engine.gather import gather
from rollout.engine.ports import World
from rollout.model.gate import Finding, Verdict

NOBODY = ""
"""The run id of a question that no run asks: every mark on a node is somebody else's."""

EXIT_CLOSED = 2
EXIT_INCONCLUSIVE = 4


def standing() -> tuple[Check, ...]:
    """What is asked when nobody says which: every check that has a meaning outside a move."""
    return tuple(check for check in catalogue().values() if check.standing)


def ask(run: Run, checks: Sequence[Check], node: str | None) -> tuple[Finding, ...]:
    """The one way from the world to findings; a gate is this, asked again until its patience is over."""
    facts = gather(run, checks, node, probes=run.tempo.gate_probes)
    return tuple(check.find(facts) for check in checks)


def check_site(
    world: World, checks: Sequence[Check], node: str | None = None, aims: Aims | None = None
) -> tuple[Finding, ...]:
    """Findings in the order of ``checks``. With a plan's ``aims`` they are what that plan's gates would say now."""
    return ask(Run(NOBODY, world, aims=aims or Aims()), checks, node)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many findings there are of each verdict."""

    opened: int
    closed: int
    inconclusive: int

    @property
    def exit_code(self) -> int:
        """Something wrong outweighs something unknown."""
        if self.closed:
            return EXIT_CLOSED
        return EXIT_INCONCLUSIVE if self.inconclusive else 0


def tally(findings: Sequence[Finding]) -> Tally:
    verdicts = [finding.verdict for finding in findings]
    return Tally(*(verdicts.count(one) for one in (Verdict.OPEN, Verdict.CLOSED, Verdict.INCONCLUSIVE)))
