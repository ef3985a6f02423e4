"""Whether a plan takes a root away from a mesh: that is what two people sign for."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.model.plan import Wave
from rollout.model.rekey import AwaitTrust, HandOver


def removes_root(waves: Iterable[Wave]) -> bool:
    """By what is done, not by what the plan calls itself: a hand-over that names what it takes out (the engine lets
    no other take anything out), or a bundle that lacks what an earlier one had.

    A mesh that removes its old root by itself is waited for, which counts the same.
    """
    known: dict[str, set[int]] = {}
    for wave in waves:
        for stage in wave.stages:
            for step in stage.steps:
                if isinstance(step.effect, HandOver) and step.effect.untrusts:
                    return True
                if isinstance(step.effect, HandOver | AwaitTrust):
                    before = known.setdefault(step.effect.mesh, set())
                    if before - set(step.effect.trusts):
                        return True
                    before.update(step.effect.trusts)
    return False
