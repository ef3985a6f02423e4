"""What goes wrong on a real API while a node is out: the run waits or stops, says why, and goes on where it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest

from rollout.engine.outcome import RunOutcome, Word
from rollout.engine.ports import World
from rollout.model.event import Event, StepStarted
from rollout.model.plan import Plan
from rollout.model.step import Effect, EvictAll, RunCommand
from tests.e2e.scale.stage import REBOOT, Driven, Stage, marked
from tests.real.fleet import eventually
from tests.real.witness import PodSeen
from tests.real.world import PlayedCommands

MERGE = "application/merge-patch+json"
SHORT = timedelta(seconds=8)
LONG = timedelta(minutes=5)
BUDGET = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets/app"


def before(effect: type[Effect], act: Callable[[str], None]) -> Callable[[Event], None]:
    """A hook that acts once, when a step of this kind is about to begin, with its node."""
    done: list[str] = []

    def hook(event: Event) -> None:
        if isinstance(event, StepStarted) and isinstance(event.step.effect, effect) and not done:
            done.append(event.step.node or "")
            act(done[0])

    return hook


def app_pods(stage: Stage, node: str) -> list[PodSeen]:
    return [p for p in stage.witness.pods() if p.node == node and p.proxy and not p.going]


def finished_well(stage: Stage, run: Driven, outcome: RunOutcome, nodes: int) -> None:
    """Everything came back, the command ran once for each node, nothing was evicted twice, N-1 held all the while."""
    record, gateway = run.record(), stage.fleet.gateway
    assert (outcome.word, outcome.detail) == (Word.DONE, "")
    assert set(record.evictions().values()) <= {1}
    assert len([on for _, on in record.cordons() if on]) == nodes
    assert record.fewest_serving(gateway.namespace, gateway.name) >= len(stage.fleet.site.gateway_nodes) - 1
    assert marked(stage.witness) == []
    assert record.refused() == [] or run.crashed, "but for a server that has not read its roles yet"


def commanded(world: World) -> list[str]:
    assert isinstance(world.commands, PlayedCommands)
    return [host for host, argv in world.commands.ran if argv == REBOOT]


@pytest.fixture
def room(stage: Stage) -> Iterator[Callable[[int], None]]:
    """Says how many of the shop's pods may be away, and gives the budget its room back at the end."""
    kept = stage.fleet.api.get(BUDGET)["spec"]["maxUnavailable"]

    def give(number: int) -> None:
        stage.fleet.api.request(
            "PATCH", BUDGET, body={"spec": {"maxUnavailable": number}}, content_type=MERGE
        )

        def counted() -> bool:
            found = stage.fleet.api.get(BUDGET)
            return bool(found["status"].get("observedGeneration") == found["metadata"]["generation"])

        eventually(counted, "the budget")

    yield give
    give(kept)


def worker_of_the_shop(stage: Stage, rack: str) -> str:
    """A node of the rack with a pod that the shop's budget covers."""
    nodes = {p.node for p in stage.witness.pods() if p.namespace == "shop" and not p.going}
    found = next(n.name for n in stage.fleet.site.rack(rack).nodes if n.name in nodes and not n.gateway)
    return str(found)


def test_a_budget_that_says_no_holds_the_run_before_the_node_loses_anything(
    stage: Stage, room: Callable[[int], None]
) -> None:
    world = stage.world(step_timeout=SHORT)
    plan = stage.maintain(world, worker_of_the_shop(stage, "r38"))
    room(0)
    run = Driven(stage)
    held = run.apply(world, plan)
    assert held.word is Word.HELD
    assert "PDB-ALLOWS" in held.detail
    assert "shop/app" in held.detail
    assert run.record().cordons() == []
    room(1)
    finished_well(stage, run, run.resume(world), nodes=1)


def test_a_budget_that_closes_in_the_middle_is_waited_for(stage: Stage, room: Callable[[int], None]) -> None:
    """429 from the eviction API itself: the gate was open a moment ago."""
    world = stage.world(step_timeout=LONG)
    plan = stage.maintain(world, worker_of_the_shop(stage, "r37"))
    opened: list[threading.Timer] = []

    def close(node: str) -> None:
        del node
        room(0)
        opened.append(threading.Timer(3, room, [1]))
        opened[0].start()

    run = Driven(stage, before(EvictAll, close))
    outcome = run.apply(world, plan)
    opened[0].join()
    finished_well(stage, run, outcome, nodes=1)
    assert run.record().told_to_wait() > 0


def test_a_pod_that_hangs_while_it_goes_is_named_and_the_run_goes_on_when_it_is_gone(stage: Stage) -> None:
    world = stage.world(step_timeout=SHORT)
    node = worker_of_the_shop(stage, "r36")
    plan = stage.maintain(world, node)
    pod = app_pods(stage, node)[0]
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
    stuck = {"metadata": {"annotations": {"rackroll.test/stuck": "true"}}}
    stage.fleet.api.request("PATCH", path, body=stuck, content_type=MERGE)
    run = Driven(stage)
    failed = run.apply(world, plan)
    assert failed.word is Word.FAILED
    assert f"{pod.namespace}/{pod.name} is leaving" in failed.detail
    assert any(node in line for line in failed.left)
    again = run.resume(world)
    assert again.word is Word.FAILED
    assert f"{pod.namespace}/{pod.name} is leaving" in again.detail
    free = {"metadata": {"annotations": {"rackroll.test/stuck": None}}}
    stage.fleet.api.request("PATCH", path, body=free, content_type=MERGE)
    finished_well(stage, run, run.resume(world), nodes=1)
    assert run.record().evictions()[f"{pod.namespace}/{pod.name}"] == 1


def test_a_node_that_is_not_ready_after_its_command_is_not_given_back_and_nobody_else_is_taken(
    stage: Stage,
) -> None:
    world = stage.world(step_timeout=SHORT)
    plan = stage.maintain(world, "rack:r35")

    def down(node: str) -> None:
        _annotate(stage, node, "true")
        eventually(lambda: not stage.witness.nodes()[node].ready, f"{node} down")

    run = Driven(stage, before(RunCommand, down))
    stopped = run.apply(world, plan)
    node = marked(stage.witness)[0]
    assert stopped.word in (Word.FAILED, Word.HELD)
    assert node in stopped.detail
    assert "NotReady" in stopped.detail
    assert {name for name, on in run.record().cordons() if on} == {node}
    _annotate(stage, node, None)
    eventually(lambda: stage.witness.nodes()[node].ready, f"{node} back")
    finished_well(stage, run, run.resume(world), nodes=len(_nodes(plan)))


def _annotate(stage: Stage, node: str, down: str | None) -> None:
    body = {"metadata": {"annotations": {"rackroll.test/down": down}}}
    stage.fleet.api.request("PATCH", f"/api/v1/nodes/{node}", body=body, content_type=MERGE)


def _nodes(plan: Plan) -> set[str]:
    return {step.node for *_, step in plan.numbered() if step.node}


def test_an_api_server_that_dies_in_the_middle_costs_time_and_no_second_eviction(
    stage: Stage, hands: ThreadPoolExecutor
) -> None:
    world = stage.world(step_timeout=LONG)
    plan = stage.maintain(world, "rack:r34")
    plane = stage.fleet.cluster.plane
    restarts: list[Future[None]] = []

    def start_again() -> None:
        time.sleep(2)
        plane.restart("kube-apiserver")

    def crash(node: str) -> None:
        del node
        plane.kill("kube-apiserver")
        restarts.append(hands.submit(start_again))

    run = Driven(stage, before(EvictAll, crash), crashed=True)
    outcome, resumes = run.apply(world, plan), 0
    restarts[0].result()
    while outcome.word is not Word.DONE and resumes < 3:
        assert outcome.word in (Word.FAILED, Word.HELD), outcome
        assert "answer" in outcome.detail, outcome
        outcome, resumes = run.resume(world), resumes + 1
    finished_well(stage, run, outcome, nodes=len(_nodes(plan)))


def test_an_api_server_that_stays_away_ends_the_run_as_unreachable_and_it_resumes(stage: Stage) -> None:
    world = stage.world(step_timeout=SHORT)
    plan = stage.maintain(world, "rack:r33")
    plane = stage.fleet.cluster.plane

    def crash(node: str) -> None:
        del node
        plane.kill("kube-apiserver")

    run = Driven(stage, before(RunCommand, crash))
    stopped = run.apply(world, plan)
    plane.restart("kube-apiserver")
    assert stopped.word in (Word.FAILED, Word.HELD)
    assert stopped.exit_code in (4, 5)
    assert "the Kubernetes API does not answer" in stopped.detail
    outcome = run.resume(world)
    finished_well(stage, run, outcome, nodes=len(_nodes(plan)))
