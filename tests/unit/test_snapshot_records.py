"""A snapshot says what the fleet looks like, is kept once, and is refused when it is not one of ours."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.engine import snapshot
from rollout.engine.context import Run
from rollout.engine.effects.record import take_snapshot
from rollout.engine.outcome import Word
from rollout.errors import RackrollError, StepFailed, Unreachable
from rollout.model.step import TakeSnapshot
from tests.unit.fake_world import FakeRack, running
from tests.unit.sites import site


def run_on(folder: Path | None = None) -> tuple[FakeRack, Run]:
    rack, live = running(site())
    return rack, Run("run-1", live, clock=rack, folder=folder)


def test_it_counts_versions_endpoints_and_next_hops() -> None:
    rack, run = run_on()
    rack.rib["ingress-1", "r2n1"] = False
    taken = snapshot.take(run, "before")
    counted = {(v.component, v.version): v.count for v in taken.versions if v.subject == "istio"}
    assert counted["ingress-1", "1.30.3"] == 4
    assert counted[snapshot.SIDECARS, "1.30.3"] == 6
    assert [e.nodes for e in taken.endpoints] == [("r1n1", "r1n2", "r2n1", "r2n2")]
    assert {h.switch: [str(a) for a in h.addresses] for h in taken.next_hops} == {
        "tor-r1": ["10.9.1.11", "10.9.1.12"],
        "tor-r2": ["10.9.2.12"],
    }


def test_a_pod_that_leaves_is_not_counted() -> None:
    rack, run = run_on()
    rack.evict(next(pod.name for pod in rack.pods.values() if pod.gateway))
    counts = {v.component: v.count for v in snapshot.take(run, "before").versions if v.subject == "istio"}
    assert counts["ingress-1"] == 3


def test_a_vip_that_nobody_could_ask_has_no_certificate_and_says_so() -> None:
    _, run = run_on()
    (serving,) = snapshot.take(run, "before").serving
    assert serving.certificate is None
    assert serving.why


def test_what_is_kept_reads_back_as_the_same_value(tmp_path: Path) -> None:
    _, run = run_on(tmp_path)
    taken = snapshot.take(run, "before")
    file = snapshot.keep(tmp_path, taken)
    assert file == tmp_path / "snapshots" / "run-1" / "before.json"
    assert json.loads(file.read_text())["format"] == snapshot.FORMAT
    assert snapshot.read(tmp_path, "run-1", "before") == taken
    assert [p.name for p in file.parent.iterdir()] == ["before.json"], "nothing is left aside"


def test_a_second_delivery_keeps_the_first_look(tmp_path: Path) -> None:
    rack, run = run_on(tmp_path)
    assert take_snapshot(run, TakeSnapshot("before")).word is Word.DONE
    first = snapshot.read(tmp_path, "run-1", "before")
    rack.nodes["r1n1"] = replace(rack.nodes["r1n1"], cordoned=True)
    assert take_snapshot(run, TakeSnapshot("before")).word is Word.ALREADY
    assert snapshot.read(tmp_path, "run-1", "before") == first


def test_a_run_without_a_directory_writes_nothing_and_says_so() -> None:
    _, run = run_on()
    assert "not kept" in take_snapshot(run, TakeSnapshot("before")).detail


def test_a_silent_tor_leaves_no_snapshot_rather_than_an_empty_one(tmp_path: Path) -> None:
    rack, run = run_on(tmp_path)
    rack.silent.add("tor-r2")
    with pytest.raises(Unreachable):
        take_snapshot(run, TakeSnapshot("before"))
    assert snapshot.read(tmp_path, "run-1", "before") is None


@pytest.mark.parametrize("name", ["../escape", "", "Before", "a b", "x" * 64])
def test_a_name_that_is_no_plain_word_is_refused(name: str) -> None:
    _, run = run_on()
    with pytest.raises(StepFailed, match="cannot name a snapshot"):
        snapshot.take(run, name)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "rackroll/snapshot/v0"}', '{"format": "rackroll/snapshot/v1"}', "\0"]
)
def test_a_file_that_is_not_ours_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    file = snapshot.file_of(tmp_path, "run-1", "before")
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(RackrollError) as refused:
        snapshot.read(tmp_path, "run-1", "before")
    assert (refused.value.where, bool(refused.value.hint)) == (str(file), True)
