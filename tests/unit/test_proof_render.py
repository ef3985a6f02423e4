"""The proof as a reviewer reads it: every state of a small plan, a summary of a big one, the end of the way back."""

from __future__ import annotations

from rollout.model.proof import Proof
from rollout.model.step import AwaitVersion
from rollout.planner.render_proof import MOST_STATES, render_proof
from tests.unit.sites import site
from tests.unit.test_proof_states import CONTROL, clustered, proof, visit


def text(said: Proof) -> str:
    return "\n".join(render_proof(said))


def test_a_small_plan_shows_every_state_with_its_gateways() -> None:
    shown = text(proof(CONTROL, visit("r1n1"), visit("r2n1")))
    assert shown.count(", configuration ") == 3 + 6
    assert "gateways 3/4, configuration 3  after 1/0/Withdraw" in shown
    assert "during 0/1/AwaitControlPlane" in shown


def test_a_big_plan_is_summed_up_by_configuration() -> None:
    big = site((2,) * 10, workers=2)
    said = proof(CONTROL, *(visit(node.name) for node in big.gateway_nodes), small=big)
    assert len(said.states) > MOST_STATES
    shown = text(said)
    assert len(shown.splitlines()) < 40
    assert "configuration 4: 59 states, gateways 19..20 of 20, after 1/1/Evict to 20/2/Advertise" in shown


def test_the_end_of_the_way_back_is_named_with_its_rule() -> None:
    shown = text(proof((AwaitVersion("kubernetes", "apiserver", "1.36.1", None),), small=clustered()))
    assert "but none from 0/0/AwaitVersion on" in shown
    assert "K8S-JUMP-01: 1.36.1 -> 1.35.2 is 1 minor down" in shown


def test_a_plan_without_a_state_of_its_own_has_no_proof_to_show() -> None:
    assert text(proof()) == ""
