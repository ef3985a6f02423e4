"""Whose marks a node carries."""

from __future__ import annotations

from rollout.checks.facts import Facts, Unknown
from rollout.checks.registry import Answer, Need, Registry, worst
from rollout.model.gate import Verdict
from rollout.model.observed import NodeState

NODES = Registry()


@NODES.check("NODE-FREE", Need.NODES, hint="ask who marked the node, undo it, then `rackroll resume`")
def node_is_free(facts: Facts) -> Answer:
    """Does the node (do all) carry no cordon and no exclude label of somebody else's work in progress?"""
    if isinstance(facts.nodes, Unknown):
        return Verdict.INCONCLUSIVE, facts.nodes.detail
    if facts.node is None:
        marked = [
            answer for state in facts.nodes if (answer := _marks(state, facts.run))[0] is Verdict.CLOSED
        ]
        return worst(marked, f"{len(facts.nodes)} nodes, none with a foreign mark")
    state = next((node for node in facts.nodes if node.name == facts.node), None)
    if state is None:
        return Verdict.INCONCLUSIVE, f"the cluster has no node {facts.node}"
    return _marks(state, facts.run)


def _marks(state: NodeState, run: str) -> Answer:
    if (state.cordoned or state.excluded) and state.owner != run:
        mark = "cordoned" if state.cordoned else "excluded from load balancers"
        return Verdict.CLOSED, f"{state.name} is {mark} by {state.owner or 'someone else'}"
    return Verdict.OPEN, f"{state.name} carries no foreign mark"
