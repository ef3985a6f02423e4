"""No plan is carried out that the independent verifier would refute."""

from __future__ import annotations

from pathlib import Path


def require_verified(text: str, where: str, site: Path) -> None:
    """``text`` is a plan as :func:`rollout.planner.codec.dump` writes it; PlanRefused with the counterexample.

    Also catches rules that changed on disk since the plan was made: what was legal then need not be now.
    """
    from rollout.errors import PlanRefused
    from rollout.verify.check import check
    from rollout.verify.data import read_rules
    from rollout.verify.finding import Counterexample

    try:
        check(text, read_rules(site))
    except Counterexample as found:
        at = f" (step {found.step})" if found.step else ""
        hint = "make the plan again; `rackroll verify` shows the counterexample. If it is fresh, report it"
        raise PlanRefused(f"{found.rule}: {found.message}{at}", where=where, hint=hint) from None
