"""The path to the targets in words, without a plan: for deciding whether to go at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rollout.model.plan import Target
from rollout.planner.canonical import plain
from rollout.planner.goals import targets_of
from rollout.planner.hops import Groups, legs_of
from rollout.planner.interleave import fewest_walks
from rollout.planner.preconditions import goes_up, versions_are_known
from rollout.planner.render import hop_words
from rollout.planner.request import Request


@dataclass(frozen=True, slots=True)
class Way:
    """``groups`` are hops that share a walk over the nodes, in order."""

    targets: tuple[Target, ...]
    groups: Groups

    def words(self) -> Iterator[str]:
        for target in self.targets:
            yield f"{target.subject}: {target.before} -> {target.after}"
        if not self.groups:
            yield "nothing to do"
        number = 0
        for legs in self.groups:
            for place, leg in enumerate(legs):
                number += 1
                shared = "" if place == 0 else "   (together with the hop before)"
                yield f"  {number}. {hop_words(leg.hop)}{shared}"

    def document(self) -> dict[str, Any]:
        return {
            "targets": [plain(target) for target in self.targets],
            "walks": [[plain(leg.hop) for leg in legs] for legs in self.groups],
        }


def way_of(request: Request) -> Way:
    """Raises PlanRefused as a plan of the same targets would for its path; nodes and gateways are not looked at."""
    targets = targets_of(request)
    versions_are_known(request, targets)
    for target in targets:
        goes_up(request, target)
    return Way(targets, fewest_walks(request, targets, legs_of(request, targets)))
