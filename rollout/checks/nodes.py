"""Whose marks a node carries."""

from __future__ import annotations

from rollout.checks.facts import Facts, Unknown
from rollout.checks.registry import Need, Registry
from rollout.model.gate import Verdict

NODES = Registry()


@NODES.check("NODE-FREE", Need.NODES, hint="ask who marked the node, undo it, then `rackroll resume`")
def node_is_free(facts: Facts) -> tuple[Verdict, str]:
    """A cordon or exclude label that this run did not set is somebody's work in progress."""
    if isinstance(facts.nodes, Unknown):
        return Verdict.INCONCLUSIVE, facts.nodes.detail
    state = next((node for node in facts.nodes if node.name == facts.node), None)
    if state is None:
        return Verdict.INCONCLUSIVE, f"the cluster has no node {facts.node}"
    if (state.cordoned or state.excluded) and state.owner != facts.run:
        mark = "cordoned" if state.cordoned else "excluded from load balancers"
        return Verdict.CLOSED, f"{state.name} is {mark} by {state.owner or 'someone else'}"
    return Verdict.OPEN, f"{state.name} carries no foreign mark"
