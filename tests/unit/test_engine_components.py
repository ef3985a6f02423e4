"""Agents, servers, kubelets, commands, whole nodes: each effect looks first; a second delivery takes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from threading import Event

import pytest

from rollout.engine.attempt import attempt
from rollout.engine.context import Run
from rollout.engine.outcome import StepOutcome, Word
from rollout.engine.ports import CommandOutcome, World
from rollout.model.observed import AgentState
from rollout.model.site import ControlPlaneHost, Site
from rollout.model.step import (
    AwaitVersion,
    Cordon,
    DrainGateways,
    Effect,
    Evict,
    EvictAll,
    InstallChart,
    MoveServer,
    RemoveChart,
    ReplaceAgents,
    RestoreGateways,
    RunCommand,
    Step,
)
from tests.unit.fake_world import TEMPO, FakeCluster, FakeRack, running
from tests.unit.sites import site, ssh

RUN = "run-1"
SPEAKER = ReplaceAgents("r1n1", "metallb", ("speaker",), "0.16.2")


def do(rack: FakeRack, live: World, effect: Effect) -> StepOutcome:
    run = Run(RUN, live, rack, TEMPO, Event())
    return attempt(run, Step("k", effect, (), getattr(effect, "node", None)))


def newer_speakers() -> tuple[FakeRack, World]:
    """The chart says 0.16.2 already; every speaker still runs 0.16.1."""
    rack, live = running(site())
    do(rack, live, InstallChart("metallb", "metallb", "metallb-system", "metallb", "0.16.2"))
    rack.wait(Event(), 2)
    return rack, live


def deletions(rack: FakeRack) -> list[str]:
    return [line for line in rack.log if line.startswith("delete")]


def test_an_agent_is_deleted_once_and_waited_for_at_the_version() -> None:
    rack, live = newer_speakers()
    assert do(rack, live, SPEAKER).word is Word.DONE
    (speaker,) = [a for a in live.cluster.agents("r1n1") if a.component == "speaker"]
    assert (speaker.version, speaker.ready) == ("0.16.2", True)
    again = do(rack, live, SPEAKER)
    assert (again.word, dict(again.counts)) == (Word.ALREADY, {"agents.replaced": 0})
    assert len(deletions(rack)) == 1


def test_an_agent_that_comes_back_at_the_old_version_fails_and_is_not_deleted_again() -> None:
    rack, live = running(site())
    outcome = do(rack, live, SPEAKER)
    assert outcome.word is Word.FAILED
    assert "came back at 0.16.1, wanted 0.16.2" in outcome.detail
    assert len(deletions(rack)) == 1


def test_other_nodes_agents_are_left_alone() -> None:
    rack, live = newer_speakers()
    do(rack, live, SPEAKER)
    others = [a for a in live.cluster.agents() if a.component == "speaker" and a.node != "r1n1"]
    assert {a.version for a in others} == {"0.16.1"}


def test_a_version_is_awaited_over_every_instance_that_is_not_leaving() -> None:
    rack, live = newer_speakers()
    wait = AwaitVersion("metallb", "speaker", "0.16.2")
    short = do(rack, live, wait)
    assert short.word is Word.FAILED
    assert "6 of 6 are not there yet" in short.detail
    for node in rack.site.nodes:
        do(rack, live, replace(SPEAKER, node=node.name))
    assert do(rack, live, wait).word is Word.ALREADY


def test_a_component_of_which_nothing_is_seen_is_never_there() -> None:
    rack, live = running(site())
    outcome = do(rack, live, AwaitVersion("metallb", "frr", "0.16.1"))
    assert "nothing of it was seen" in outcome.detail


def test_a_kubelet_is_awaited_on_its_node_and_ready() -> None:
    rack, live = running(site())
    rack.commanded("r1n3", "1.36.0")
    assert do(rack, live, AwaitVersion("kubernetes", "kubelet", "1.36.0", "r1n3")).word is Word.DONE
    assert rack.ready(rack.nodes["r1n3"])


def test_an_api_server_that_nobody_sees_is_asked_what_it_is() -> None:
    rack, live = running(site())
    assert do(rack, live, AwaitVersion("kubernetes", "apiserver", rack.kubernetes)).word is Word.ALREADY
    assert "says 1.35.2" in do(rack, live, AwaitVersion("kubernetes", "apiserver", "1.36.0")).detail


class Servers(FakeCluster):
    """Three servers of a StatefulSet; the controller moves one when the partition reaches it."""

    def __init__(self, rack: FakeRack) -> None:
        super().__init__(rack)
        self.versions = {0: "1.21.0", 1: "1.21.0", 2: "1.21.0"}
        self.sick: set[int] = set()
        self.partitions: list[int] = []

    def agents(self, node: str | None = None, subject: str | None = None) -> tuple[AgentState, ...]:
        assert subject == "consul"
        return tuple(
            AgentState("consul", "server", "consul", f"consul-server-{n}", None, v, n not in self.sick, False)
            for n, v in self.versions.items()
            if node is None
        )

    def set_partition(self, namespace: str, statefulset: str, partition: int) -> None:
        assert (namespace, statefulset) == ("consul", "consul-server")
        self.partitions.append(partition)
        self.versions |= {n: "1.22.0" for n in self.versions if n >= partition}


def server(ordinal: int) -> MoveServer:
    return MoveServer("consul", "server", "consul", "consul-server", ordinal, "1.22.0")


def servers() -> tuple[FakeRack, World, Servers]:
    rack, live = running(site())
    cluster = Servers(rack)
    return rack, replace(live, cluster=cluster), cluster


def test_servers_move_one_by_one_and_the_partition_never_goes_further_than_asked() -> None:
    rack, live, cluster = servers()
    for ordinal in (2, 1, 0):
        assert do(rack, live, server(ordinal)).word is Word.DONE
        assert [n for n, v in cluster.versions.items() if v == "1.21.0"] == list(range(ordinal))
    assert cluster.partitions == [2, 1, 0]
    assert do(rack, live, server(0)).word is Word.ALREADY


def test_no_server_moves_while_another_is_not_ready() -> None:
    rack, live, cluster = servers()
    cluster.sick.add(0)
    outcome = do(rack, live, server(2))
    assert (outcome.word, cluster.partitions) == (Word.FAILED, [])
    assert "consul-server-0 not Ready" in outcome.detail


def test_a_server_that_is_missing_in_the_middle_counts_as_not_ready() -> None:
    rack, live, cluster = servers()
    del cluster.versions[1]
    assert "consul-server-1 not Ready" in do(rack, live, server(2)).detail
    assert cluster.partitions == []


def managed() -> Site:
    made = site()
    kubernetes = replace(
        made.kubernetes,
        control_plane=(ControlPlaneHost("cp1", ssh("127.0.9.1")),),
        upgrade_node=("upgrade-kubelet", "--to={version}"),
    )
    return replace(made, kubernetes=kubernetes)


def test_a_command_that_fails_stops_with_its_own_last_words_and_is_run_again_on_the_next_try() -> None:
    rack, live = running(managed())
    upgrade = RunCommand("r1n1", "kubelet to 1.36.0", ("upgrade-kubelet", "--to=1.36.0"))
    rack.exit_codes["r1n1"] = 7
    failed = do(rack, live, upgrade)
    assert failed.word is Word.FAILED
    assert "kubelet to 1.36.0 exited with 7; it said: it did not work" in failed.detail
    assert rack.nodes["r1n1"].kubelet == "v1.35.2"
    rack.exit_codes.clear()
    assert do(rack, live, upgrade).word is Word.DONE
    assert rack.nodes["r1n1"].kubelet == "v1.36.0"
    assert [line for line in rack.log if "upgrade-kubelet" in line] == [
        "run on r1n1: upgrade-kubelet --to=1.36.0"
    ] * 2


class Chatty:
    def run(self, host: str, argv: Sequence[str], within: timedelta | None = None) -> CommandOutcome:
        del within
        return CommandOutcome(1, f"{host} {argv} " + "x" * 10_000 + "the end")


def test_of_a_failed_commands_output_the_end_is_shown() -> None:
    rack, live = running(site())
    outcome = do(rack, replace(live, commands=Chatty()), RunCommand("local", "backup", ("save",)))
    assert "the end" in outcome.detail
    assert len(outcome.detail) < 700


def test_a_release_is_removed_once() -> None:
    rack, live = running(site())
    effect = RemoveChart("metallb", "metallb", "metallb-system")
    assert do(rack, live, effect).word is Word.DONE
    assert do(rack, live, effect).word is Word.ALREADY
    assert rack.log.count("remove metallb") == 1


def test_a_node_is_emptied_of_all_but_its_daemons_and_a_second_time_there_is_nothing() -> None:
    rack, live = running(site())
    do(rack, live, Cordon("r1n3"))
    assert do(rack, live, EvictAll("r1n3")).word is Word.DONE
    assert live.cluster.evictable("r1n3") == {}
    log = list(rack.log)
    assert do(rack, live, EvictAll("r1n3")).word is Word.ALREADY
    assert rack.log == log


def test_a_pod_that_is_leaving_already_is_waited_for_and_not_evicted_again() -> None:
    """A resume does not know what an earlier attempt has evicted; the API does."""
    rack, live = running(site())
    do(rack, live, Cordon("r1n3"))
    (stuck,) = [pod for pod in rack.pods.values() if pod.node == "r1n3"]
    stuck.gone_at = rack.time + 10_000
    outcome = do(rack, live, EvictAll("r1n3"))
    assert outcome.word is Word.FAILED
    assert f"{stuck.namespace}/{stuck.name} is leaving" in outcome.detail
    assert not [line for line in rack.log if line.startswith("evict")]


def test_a_node_whose_cordon_is_gone_is_not_emptied_for_ever() -> None:
    rack, live = running(site())
    outcome = do(rack, live, EvictAll("r1n3"))
    assert outcome.word is Word.FAILED
    assert "the cordon is gone" in outcome.detail
    assert not [line for line in rack.log if line.startswith("evict")]


def test_a_replacement_that_is_injected_at_another_version_is_named_and_never_evicted() -> None:
    rack, live = running(site())
    do(rack, live, InstallChart("istio", "istiod", "istio-system", "istiod", "1.31.1", "1.30.3"))
    outcome = do(rack, live, Evict("r1n1", "istio", "1.31.1"))
    assert outcome.word is Word.FAILED
    assert "came back at 1.30.3, wanted 1.31.1" in outcome.detail
    assert "istio's control plane, which the charts say is at 1.31.1" in outcome.detail
    gateways = [line for line in rack.log if line.startswith("evict ingress")]
    assert len(gateways) == 1


@pytest.mark.parametrize("drained", [True, False])
def test_gateways_that_were_drained_pass_their_health_check_again(drained: bool) -> None:
    rack, live = running(site(vips=2))
    if drained:
        do(rack, live, DrainGateways("r1n1", TEMPO.poll))
        assert any(pod.failing for pod in rack.pods.values())
    assert do(rack, live, RestoreGateways("r1n1")).word is Word.DONE
    assert not any(pod.failing for pod in rack.pods.values())
    assert {line for line in rack.log if line.startswith("restore")} == {"restore r1n1"}


def test_a_pin_that_goes_is_a_change_although_the_version_stays() -> None:
    rack, live = running(site())
    pinned = InstallChart("istio", "istiod", "istio-system", "istiod", "1.31.1", "1.30.3")
    assert do(rack, live, pinned).word is Word.DONE
    assert do(rack, live, pinned).word is Word.ALREADY
    assert rack.injected("istio") == "1.30.3"
    assert do(rack, live, replace(pinned, data_plane=None)).word is Word.DONE
    assert rack.injected("istio") == "1.31.1"


def test_a_speaker_that_restarts_takes_its_nodes_routes_with_it() -> None:
    """Why MetalLB's own upgrade withdraws first: the rack in memory must show what that saves."""
    rack, live = newer_speakers()
    seen: list[int] = []
    rack.each_tick = lambda: seen.append(len(rack.routed(rack.site.gateways[0])))
    do(rack, live, SPEAKER)
    assert min(seen) == 3
