"""A program of ours run on a node: its text over ssh, its question on standard input, its answer as JSON."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import paramiko

from rollout.adapters.ssh import require_credentials, session, strict_client
from rollout.errors import Unreachable
from rollout.model.site import Site

_LOST = (paramiko.SSHException, EOFError, OSError)


class Vantage(Protocol):
    """Runs one script on a node of the site; tests answer here in its stead."""

    def run(self, node: str, script: ModuleType, asked: object, timeout: float) -> Any: ...


@dataclass(frozen=True, slots=True)
class NodeVantage:
    """The node needs ``python3``. The question may hold a canary's key: it goes through the connection only."""

    site: Site

    def run(self, node: str, script: ModuleType, asked: object, timeout: float) -> Any:
        """Raises Unreachable for a node that does not answer, or whose Python says nothing that can be read."""
        access = self.site.node(node).ssh
        require_credentials(access, f"node {node}")
        try:
            client = strict_client(access)
        except _LOST as error:
            raise _silent(node, f"cannot log in: {error}") from None
        try:
            return _asked(session(client, access), script, asked, timeout)
        except _LOST as error:
            raise _silent(node, f"the connection ended: {error or type(error).__name__}") from None
        except ValueError as error:
            raise _silent(node, f"its python3 gave no answer: {error}") from None
        finally:
            client.close()


def _asked(channel: paramiko.Channel, script: ModuleType, asked: object, timeout: float) -> Any:
    channel.settimeout(timeout)
    channel.exec_command(f"exec python3 -I -S -c {shlex.quote(_text(script))}")
    channel.sendall(json.dumps(asked).encode())
    channel.shutdown_write()
    said = channel.makefile("rb").read()
    wrong = channel.makefile_stderr("rb").read().decode(errors="replace").strip().splitlines()
    if channel.recv_exit_status() != 0:
        raise ValueError(wrong[-1][:200] if wrong else "it failed and said nothing")
    return json.loads(said)


def _text(script: ModuleType) -> str:
    assert script.__file__ is not None
    return Path(script.__file__).read_text(encoding="utf-8")


def _silent(node: str, why: str) -> Unreachable:
    return Unreachable(why, where=f"node {node}", hint="can you log in there, and is python3 installed?")
