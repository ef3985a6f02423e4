"""Starting a program in a node: one that does not get going is ended and said, never waited for without end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lab.node import machine as module
from lab.node.ledger import Ledger
from lab.node.machine import Machine
from rollout.errors import RackrollError


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """What would enter the node is the program itself: nothing is forked."""
    monkeypatch.setattr(module, "command", lambda _folder, _name, argv, **_: list(argv))
    return Machine(tmp_path, "r1n1", 1, "10.90.1.11", Ledger(tmp_path / "processes.json"))


def test_an_entering_that_hangs_is_ended_and_said(node: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FORK_WAIT", 0.05)
    with pytest.raises(RackrollError, match="did not start within"):
        asyncio.run(node.start("program", ["sleep", "600"]))


def test_a_program_that_ends_at_once_is_said_to(node: Machine) -> None:
    with pytest.raises(RackrollError, match="ended at once"):
        asyncio.run(node.start("program", ["false"]))


def test_the_forked_program_is_what_is_ended_later(node: Machine) -> None:
    async def run() -> bool:
        started = await node.start("program", ["sh", "-c", "sleep 600 & wait"])
        assert node.ledger.alive() == [started.inner]
        await started.kill()
        return started.inner.alive

    assert not asyncio.run(run())
