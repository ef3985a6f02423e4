"""The site's own commands: what reaches the far shell, what comes back, and every way it can go wrong."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rollout.adapters.commands import SiteCommands
from rollout.engine.ports import CommandOutcome, Commands
from rollout.errors import StepFailed, Unreachable
from rollout.model.site import ControlPlaneHost, Site
from tests.unit.sites import site
from tests.unit.sshd import SshServer, ssh_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    with ssh_server(tmp_path) as server:
        yield server


@pytest.fixture
def commands(server: SshServer) -> SiteCommands:
    return SiteCommands(reached(server), timeout=timedelta(seconds=5))


def reached(server: SshServer) -> Site:
    """A site whose only control-plane host is the server."""
    made = site()
    hosts = (ControlPlaneHost("cp1", server.access),)
    return replace(made, kubernetes=replace(made.kubernetes, control_plane=hosts))


def test_a_command_runs_on_the_host_and_its_output_and_exit_code_come_back(
    commands: SiteCommands,
) -> None:
    fits: Commands = commands
    assert fits.run("cp1", ("sh", "-c", "echo out; echo err >&2; exit 3")) == CommandOutcome(3, "out\nerr")


def test_when_it_was_sent_is_told_and_that_is_after_the_login(commands: SiteCommands) -> None:
    before = datetime.now(UTC)
    there = datetime.fromtimestamp(float(commands.run("cp1", ("date", "+%s.%N")).output), UTC)
    sent = commands.run("cp1", ("true",)).sent
    assert sent is not None
    assert before < there < sent <= datetime.now(UTC)


def test_no_argument_is_ever_read_by_the_far_shell(server: SshServer, commands: SiteCommands) -> None:
    argv = ("printf", "%s|", "a b", "$(id)", "`id`", "; rm -rf /", "it's", "*", "")
    assert commands.run("cp1", argv).output == "a b|$(id)|`id`|; rm -rf /|it's|*||"
    assert shlex.split(server.commands[0]) == list(argv)


def test_of_a_long_output_the_end_is_kept(commands: SiteCommands) -> None:
    done = commands.run("cp1", (sys.executable, "-c", "print('x' * 300000 + 'the end')"))
    assert done.output.endswith("the end")
    assert len(done.output) == 4000


def test_a_command_that_hangs_is_given_up_and_said_to_be_running_still(server: SshServer) -> None:
    commands = SiteCommands(reached(server), timeout=timedelta(seconds=0.5))
    with pytest.raises(StepFailed, match=r"did not end within 0\.5 s; it may still run there"):
        commands.run("cp1", ("sleep", "2"))


def test_a_connection_that_ends_before_the_command_is_unreachable_not_an_exit_code(
    server: SshServer, commands: SiteCommands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "execute", lambda *_: server.drop_connections())
    with pytest.raises(Unreachable, match="the connection ended before the command did"):
        commands.run("cp1", ("reboot",))


def test_a_host_that_changed_its_key_is_refused(server: SshServer, commands: SiteCommands) -> None:
    server.access.known_hosts.write_text(server.known_hosts_line(server.other_key))
    with pytest.raises(Unreachable, match="cannot log in"):
        commands.run("cp1", ("true",))
    assert server.commands == []


def test_a_missing_key_file_is_named(server: SshServer, commands: SiteCommands) -> None:
    server.access.key_file.unlink()
    with pytest.raises(Unreachable, match="there is no private key"):
        commands.run("cp1", ("true",))


def test_a_host_that_the_site_lacks_is_a_plan_out_of_date(commands: SiteCommands) -> None:
    with pytest.raises(StepFailed, match="no node or control-plane host r9n9"):
        commands.run("r9n9", ("true",))


def test_on_this_machine_no_shell_reads_the_arguments(commands: SiteCommands) -> None:
    script = "import sys; print(sys.argv[1:]); sys.stderr.write('err'); sys.exit(4)"
    done = commands.run("local", (sys.executable, "-c", script, "$(id)", "a b"))
    assert done.exit_code == 4
    assert "['$(id)', 'a b']" in done.output
    assert "err" in done.output


def test_a_program_that_is_not_there_is_an_exit_code_as_a_shell_has_it(
    commands: SiteCommands, tmp_path: Path
) -> None:
    assert commands.run("local", ("no-such-program",)).exit_code == 127
    plain = tmp_path / "plain"
    plain.write_text("no program")
    assert commands.run("local", (str(plain),)).exit_code == 126


def test_a_local_command_that_hangs_is_killed_with_its_children(server: SshServer) -> None:
    commands = SiteCommands(reached(server), timeout=timedelta(seconds=0.5))
    with pytest.raises(StepFailed, match=r"it was killed\. It said: begun"):
        commands.run("local", ("sh", "-c", "echo begun; sleep 30 & wait"))


def test_a_short_question_that_is_not_answered_is_unreachable_and_not_waited_for(
    server: SshServer, commands: SiteCommands
) -> None:
    with pytest.raises(Unreachable, match=r"no answer within 0\.5 s"):
        commands.run("cp1", ("sleep", "3"), timedelta(seconds=0.5))
    assert server.commands == ["sleep 3"]


def test_a_short_question_that_is_answered_in_time_is_like_any_other(commands: SiteCommands) -> None:
    done = commands.run("cp1", ("sh", "-c", "echo yes; exit 3"), timedelta(seconds=5))
    assert done == CommandOutcome(3, "yes")


def test_a_session_that_a_reboot_cuts_is_told_from_a_late_answer(
    server: SshServer, commands: SiteCommands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "execute", lambda *_: server.drop_connections())
    with pytest.raises(Unreachable, match="the connection ended before the command did") as caught:
        commands.run("cp1", ("systemctl", "reboot"), timedelta(seconds=5))
    assert "no answer within" not in caught.value.message
