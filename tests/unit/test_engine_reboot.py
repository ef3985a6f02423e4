"""A reboot is over when the kernel's boot id says so and the API speaks of that boot: never by a Ready of before."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from rollout.engine.attempt import attempt
from rollout.engine.context import Run
from rollout.engine.effects.boot import BOOT_ID, asking
from rollout.engine.outcome import StepOutcome, Word, from_json, to_json
from rollout.engine.ports import CommandOutcome, World
from rollout.errors import Unreachable
from rollout.model.observed import NodeBoot
from rollout.model.reboot import NoteBoot, Reboot
from rollout.model.step import AwaitNodeReady, Effect, Step
from tests.unit.fake_boots import TOLD
from tests.unit.fake_vitals import UNSYNCHRONISED
from tests.unit.fake_world import TEMPO, FakeCluster, FakeCommands, FakeRack, running
from tests.unit.sites import site
from tests.unit.test_engine_crash import Crash

NODE = "r1n1"
FOREVER = float("inf")
Do = Callable[[Effect], StepOutcome]


def scene() -> tuple[FakeRack, World, Do]:
    """A rack whose node's boot is noted; ``do`` makes one attempt at an effect in one process."""
    rack, live = running(site())
    return rack, live, process(rack, live)


def process(rack: FakeRack, live: World, *facts: tuple[str, str]) -> Do:
    run = Run("run-1", live, rack, TEMPO, Event())
    run.notes.update(facts or attempted(run, NoteBoot(NODE)).facts)
    return partial(attempted, run)


def attempted(run: Run, effect: Effect) -> StepOutcome:
    return attempt(run, Step("k", effect, (), NODE))


def reboots(rack: FakeRack) -> int:
    return len(rack.boots.reboots[NODE])


def test_a_reboot_is_waited_for_until_host_and_api_are_in_the_next_boot() -> None:
    rack, _, do = scene()
    done = do(Reboot(NODE))
    assert (done.word, dict(done.counts)) == (Word.DONE, {"nodes.rebooted": 1})
    assert rack.time >= rack.boots.reboots[NODE][0] + TOLD
    assert not rack.boots.down(NODE, rack.time)


def test_a_stale_ready_of_the_old_boot_is_never_believed() -> None:
    rack, live, do = scene()
    rack.boots.told_after = FOREVER
    failed = do(Reboot(NODE))
    assert live.cluster.nodes(NODE)[0].ready
    assert failed.word is Word.FAILED
    assert f"{NODE} back from its reboot: not within" in failed.detail
    assert "the API still speaks of boot" in failed.detail
    assert "rackroll resume" in failed.detail


def test_a_host_that_answers_in_the_same_boot_is_waited_for_and_fails_in_words() -> None:
    rack, _, do = scene()
    rack.boots.deaf.add(NODE)
    failed = do(Reboot(NODE))
    assert failed.word is Word.FAILED
    assert "at last it still is in the boot of before" in failed.detail
    assert "pacing.stepTimeout" in failed.detail


def test_a_node_that_is_in_the_new_boot_and_not_ready_is_waited_for() -> None:
    rack, _, do = scene()
    rack.nodes[NODE] = replace(rack.nodes[NODE], ready=False)
    assert "at last the node is NotReady" in do(Reboot(NODE)).detail


def test_a_session_that_the_reboot_cuts_short_is_no_failure() -> None:
    rack, _, do = scene()
    rack.boots.cut = True
    assert (do(Reboot(NODE)).word, reboots(rack)) == (Word.DONE, 1)


@pytest.mark.parametrize("code", [128 + 9, 128 + 15])
def test_a_session_whose_shell_is_killed_by_the_shutdown_is_no_refusal(code: int) -> None:
    rack, _, do = scene()
    rack.boots.refusals[NODE] = CommandOutcome(code, "")
    assert "it still is in the boot of before" in do(Reboot(NODE)).detail


def test_a_host_that_stops_answering_sensibly_on_its_way_down_is_waited_for() -> None:
    class Dying(FakeCommands):
        def run(self, host: str, argv: Sequence[str], within: timedelta | None = None) -> CommandOutcome:
            said = super().run(host, argv, within)
            late = self.rack.boots.going_down(host, self.rack.time)
            return CommandOutcome(128 + 15, "System is going down.") if late and argv == BOOT_ID else said

    rack, live = running(site())
    do = process(rack, replace(live, commands=Dying(rack)))
    assert (do(Reboot(NODE)).word, reboots(rack)) == (Word.DONE, 1)


def test_a_host_that_never_comes_back_is_unreachable_and_said_to_be_rebooting() -> None:
    rack, _, do = scene()

    def lose() -> None:
        if reboots(rack):
            rack.silent.add(NODE)

    rack.each_tick = lose
    failed = do(Reboot(NODE))
    assert (failed.word, failed.exit_code) == (Word.FAILED, Unreachable.exit_code)
    assert f"{NODE}: not back from its reboot: did not answer" in failed.detail
    assert "look at its console" in failed.detail


def test_a_refused_reboot_fails_at_once_with_the_hosts_own_words() -> None:
    rack, _, do = scene()
    rack.boots.refusals[NODE] = CommandOutcome(127, "sh: 1: exec: systemctl: not found")
    began = rack.time
    failed = do(Reboot(NODE))
    assert failed.word is Word.FAILED
    assert f"{NODE}: the reboot was refused: `systemctl reboot` exited with 127" in failed.detail
    assert "systemctl: not found\n  next: repair the cause" in failed.detail
    assert rack.time == began


def test_a_second_delivery_in_another_process_does_not_reboot_twice() -> None:
    rack, live, do = scene()
    facts = attempted(Run("run-1", live, rack, TEMPO, Event()), NoteBoot(NODE)).facts
    do(Reboot(NODE))
    again = process(rack, live, *facts)(Reboot(NODE))
    assert (again.word, dict(again.counts), reboots(rack)) == (Word.ALREADY, {"nodes.rebooted": 0}, 1)


@pytest.mark.parametrize("later", [0.1, 0.6, 2.0, 4.0, 5.0])
def test_a_process_that_dies_while_the_node_is_away_leaves_one_that_only_waits(later: float) -> None:
    """Going down, off, up, and up while the API still shows the boot of before."""
    rack, live, do = scene()
    facts = attempted(Run("run-1", live, rack, TEMPO, Event()), NoteBoot(NODE)).facts

    def die() -> None:
        if reboots(rack) and rack.time >= rack.boots.reboots[NODE][0] + later:
            raise Crash

    rack.each_tick = die
    with pytest.raises(Crash):
        do(Reboot(NODE))
    rack.each_tick = lambda: None
    again = process(rack, live, *facts)(Reboot(NODE))
    assert (again.word, reboots(rack)) == (Word.ALREADY, 1)
    assert rack.time >= rack.boots.reboots[NODE][0] + TOLD


def test_a_host_that_does_not_answer_yet_is_asked_once_it_does() -> None:
    rack, _, do = scene()
    rack.silent.add(NODE)
    began = rack.time

    def answer() -> None:
        if rack.time > began + 2:
            rack.silent.discard(NODE)

    rack.each_tick = answer
    assert (do(Reboot(NODE)).word, reboots(rack)) == (Word.DONE, 1)


def test_a_kubelet_that_names_no_boot_must_have_written_since_the_host_was_in_another() -> None:
    rack, _, do = scene()
    rack.boots.mute = True
    assert do(Reboot(NODE)).word is Word.DONE
    rack, _, do = scene()
    rack.boots.mute, rack.boots.told_after = True, FOREVER
    assert "its last heartbeat may be from before" in do(Reboot(NODE)).detail


class Shown(FakeCluster):
    """Shows one gateway as Ready since a time that moves on with the boot, or never."""

    moves: bool = True

    def boot(self, node: str) -> NodeBoot | None:
        told = super().boot(node)
        assert told is not None
        since = told.boot if self.moves else "the beginning"
        return replace(told, ready_since=(f"shop/ingress-1 Ready since {since}",))


@pytest.mark.parametrize("moves", [True, False])
def test_a_gateway_that_is_shown_ready_as_before_the_reboot_is_not_believed(moves: bool) -> None:
    rack, live = running(site())
    cluster = Shown(rack)
    cluster.moves = moves
    done = process(rack, replace(live, cluster=cluster))(Reboot(NODE))
    assert (done.word is Word.DONE) is moves
    assert moves or "still shows shop/ingress-1 Ready since the beginning" in done.detail


def test_a_node_that_the_api_lost_is_waited_for() -> None:
    class Lost(FakeCluster):
        def boot(self, node: str) -> NodeBoot | None:
            del node
            return None

    rack, live = running(site())
    failed = process(rack, replace(live, cluster=Lost(rack)))(Reboot(NODE))
    assert "at last the API has no such node" in failed.detail


def test_a_host_whose_boot_cannot_be_read_is_not_rebooted() -> None:
    class Strange(FakeCommands):
        def run(self, host: str, argv: Sequence[str], within: timedelta | None = None) -> CommandOutcome:
            del host, argv, within
            return CommandOutcome(1, "cat: /proc/sys/kernel/random/boot_id: No such file or directory")

    rack, live = running(site())
    failed = attempted(Run("run-1", replace(live, commands=Strange(rack)), rack, TEMPO), NoteBoot(NODE))
    assert (failed.word, failed.facts) == (Word.FAILED, ())
    assert f"{NODE}: its boot id cannot be read: cat:" in failed.detail
    unnoted = attempted(Run("run-1", live, rack, TEMPO), Reboot(NODE))
    assert (unnoted.word, reboots(rack)) == (Word.FAILED, 0)


def test_facts_are_kept_in_the_journal_and_a_record_of_before_has_none() -> None:
    outcome = StepOutcome(Word.DONE, "boot 1", facts=(("r1n1: boot", "1"),))
    assert from_json(to_json(outcome)) == outcome
    old = to_json(StepOutcome(Word.DONE)).replace('"facts": [], ', "")
    assert "facts" not in old
    assert from_json(old).facts == ()


class Adrift(FakeCommands):
    """chronyd has no source until ``until`` on the rack's clock."""

    until: float = FOREVER

    def run(self, host: str, argv: Sequence[str], within: timedelta | None = None) -> CommandOutcome:
        if "chronyc" in argv and self.rack.time < self.until:
            return CommandOutcome(0, UNSYNCHRONISED)
        return super().run(host, argv, within)


@pytest.mark.parametrize(("until", "word"), [(40.0, Word.ALREADY), (FOREVER, Word.HELD)])
def test_the_clock_of_a_rebooted_node_is_waited_for_and_then_held(until: float, word: Word) -> None:
    rack, live = running(site())
    commands = Adrift(rack)
    commands.until = until
    run = Run("run-1", replace(live, commands=commands), rack, TEMPO, Event())
    assert attempt(run, Step("k", AwaitNodeReady(NODE, None, None), ("CLOCK-OFFSET",), NODE)).word is word


def as_a_host_would(argv: tuple[str, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    """By a real shell, with a systemctl that only says what it was asked and no other program but cat."""
    stub = folder / "systemctl"
    stub.write_text('#!/bin/sh\necho "systemctl $*"\n')
    stub.chmod(0o755)
    (folder / "cat").symlink_to("/bin/cat")
    environment = {"PATH": str(folder)}
    return subprocess.run(
        ["/bin/sh", *argv[1:]], env=environment, capture_output=True, text=True, check=False
    )


def test_the_request_itself_reboots_only_the_boot_that_was_noted(tmp_path: Path) -> None:
    now = Path(BOOT_ID[1]).read_text().strip()
    done = as_a_host_would(asking(now), tmp_path)
    assert (done.returncode, done.stdout) == (0, "systemctl reboot\n")
    (tmp_path / "cat").unlink()
    other = as_a_host_would(asking("0" * 36), tmp_path)
    assert (other.returncode, other.stdout) == (75, "")
