"""The session: one answer per command, with its status, over a line that may break."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from rollout.adapters.switches.session import Answer, Session
from rollout.errors import Unreachable
from rollout.model.site import SshAccess, Switch, SwitchPlatform

SWITCH = Switch(
    "tor-r1",
    "r1",
    SwitchPlatform.FRR,
    SshAccess("192.0.2.1", 22, "root", Path("/key"), Path("/known_hosts")),
    64501,
    ip_address("10.90.1.1"),
    (),
)


@dataclass
class Line:
    """A shell at the other end of netmiko's channel. ``answers`` maps a typed command to output and status."""

    shell: Callable[[str], tuple[str, int]]
    closed: bool = False
    echo: bool = False
    deaf: bool = False
    pending: list[str] = field(default_factory=list)
    overlapping: bool = False

    @property
    def remote_conn(self) -> Line:
        return self

    def write_channel(self, typed: str) -> None:
        if self.deaf:
            return
        if "rackroll ready" in typed:
            self.pending.append("prompt# \r\nrackroll-ready\r\n")
            return
        self.overlapping = self.overlapping or bool("".join(self.pending).strip())
        command, marker = typed.split("\nprintf ")
        output, status = self.shell(command)
        number = re.search(r"rackroll (\d+)", marker)
        assert number
        echoed = typed.replace("\n", "\r\n") if self.echo else ""
        text = f"{echoed}{output}\r\nrackroll-{number.group(1)}={status}=\r\n"
        self.pending += [text[i : i + 7] for i in range(0, len(text), 7)]

    def read_channel(self) -> str:
        return self.pending.pop(0) if self.pending else ""

    def disconnect(self) -> None:
        self.closed = True


def session(*lines: Line | Exception) -> tuple[Session, list[Any]]:
    opened: list[Any] = []

    def connect(_: Switch) -> Line:
        line = lines[min(len(opened), len(lines) - 1)]
        opened.append(line)
        if isinstance(line, Exception):
            raise line
        return line

    return Session(SWITCH, connect), opened


def echoing(command: str) -> tuple[str, int]:
    return f"<{command}>", 0


def test_an_answer_carries_output_and_status() -> None:
    shell, _ = session(Line(lambda _: ("one\r\ntwo", 3)))
    assert shell.ask("x") == Answer(3, "one\ntwo")
    assert shell.ask("y") == Answer(3, "one\ntwo")


def test_the_echo_of_a_command_is_not_taken_for_its_end() -> None:
    shell, _ = session(Line(lambda _: ("out", 5), echo=True))
    assert shell.ask("x").status == 5


def test_the_line_stays_open_between_commands() -> None:
    shell, opened = session(Line(echoing))
    for number in range(3):
        assert f"<{number}>" in shell.ask(str(number)).text
    assert len(opened) == 1


def test_a_lost_line_is_reopened_once_for_a_question() -> None:
    first, second = Line(echoing), Line(echoing)
    shell, opened = session(first, second)
    shell.ask("a")
    first.closed = True
    first.deaf = True
    assert "<b>" in shell.ask("b").text
    assert opened == [first, second]


def test_a_command_that_changes_something_is_never_sent_twice() -> None:
    first, second = Line(echoing), Line(echoing)
    shell, opened = session(first, second)
    shell.ask("a")
    first.closed = True
    first.deaf = True
    with pytest.raises(Unreachable, match="closed the session"):
        shell.act("b")
    assert opened == [first]


def test_a_switch_that_cannot_be_reached_again_is_unreachable() -> None:
    first = Line(echoing)
    shell, _ = session(first, ConnectionRefusedError(111, "Connection refused"))
    shell.ask("a")
    first.closed = True
    first.deaf = True
    with pytest.raises(Unreachable, match="Connection refused") as lost:
        shell.ask("b")
    assert lost.value.where == "tor-r1"
    assert "/known_hosts" in lost.value.hint


def test_a_first_connection_that_fails_is_tried_once() -> None:
    shell, opened = session(TimeoutError("timed out"))
    with pytest.raises(Unreachable, match="timed out"):
        shell.ask("a")
    assert len(opened) == 1


def test_silence_ends_at_the_timeout() -> None:
    silent = Line(echoing)
    shell, _ = session(silent)
    shell.ask("a")
    silent.deaf = True
    with pytest.raises(Unreachable, match=r"no answer within 0.05 s"):
        shell.act("b", timedelta(seconds=0.05))


def test_threads_share_a_line_without_mixing_answers() -> None:
    line = Line(echoing)
    shell, _ = session(line)
    wrong: list[str] = []

    def ask(name: str) -> None:
        for number in range(20):
            text = shell.ask(f"{name}{number}").text
            if f"<{name}{number}>" not in text:
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not line.overlapping
