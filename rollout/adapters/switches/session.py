"""One SSH session to one switch, through netmiko, that never mistakes an error for an answer.

netmiko types into a terminal and guesses where an answer ends; its ``error_pattern`` is empty unless set. Here
each command's exit status travels back with the output behind a fresh marker, so an answer is complete, exactly
one command's, and known to have worked. Host keys are strict, keys are the only way in.
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from rollout.adapters.ssh import require_credentials
from rollout.errors import StepFailed, Unreachable
from rollout.model.site import Switch

CONNECT_TIMEOUT = timedelta(seconds=5)
_POLL = timedelta(milliseconds=5)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the switch said (stdout and stderr as one, as a terminal shows them) and the exit status."""

    status: int
    text: str


class Session:
    """Opens on first use, stays open, reopens once if the line was lost. Safe to share between threads.

    ``connect`` is netmiko's ``ConnectHandler`` in production and a fake in tests.
    """

    def __init__(self, switch: Switch, connect: Callable[..., Any] | None = None) -> None:
        self._switch = switch
        self._connect = connect or _netmiko_connect
        self._lock = threading.RLock()
        self._numbers = count(1)
        self._connection: Any = None

    def ask(self, command: str, timeout: timedelta = timedelta(seconds=10)) -> Answer:
        """Run a command that changes nothing: asked again on a fresh connection if the line was lost."""
        with self._lock:
            fresh = self._connection is None
            try:
                return self._run(command, timeout)
            except Unreachable:
                if fresh:
                    raise
            return self._run(command, timeout)

    def act(self, command: str, timeout: timedelta = timedelta(seconds=30)) -> Answer:
        """Run a command that changes something: never sent twice; a lost line is the caller's to judge."""
        with self._lock:
            return self._run(command, timeout)

    def put(self, path: str, text: str) -> None:
        """Write a file that only its owner may read: a switch's configuration can hold BGP passwords.

        base64, because a terminal would interpret tabs and control characters.
        """
        lines = base64.encodebytes(text.encode()).decode()
        make = f"umask 077; mkdir -p {path.rpartition('/')[0]} && base64 -d > {path}"
        done = self.act(f"{make} <<'RACKROLL'\n{lines}RACKROLL")
        if done.status != 0:
            raise StepFailed(f"cannot write {path}: {done.text.strip()}", where=self._switch.name)

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                _quietly(connection.disconnect)

    def _run(self, command: str, timeout: timedelta) -> Answer:
        number = next(self._numbers)
        try:
            if self._connection is None:
                self._connection = self._opened()
            # printf joins the marker from two words: the terminal's echo of what we type cannot look like it.
            self._connection.write_channel(f"{command}\nprintf '\\n%s-%s=%s=\\n' rackroll {number} $?\n")
            return _answer(_read(self._connection, re.compile(rf"rackroll-{number}=(\d+)=\r?\n"), timeout))
        except _lost_line() as error:
            self.close()
            raise _unreachable(self._switch, error) from error

    def _opened(self) -> Any:
        connection = self._connect(self._switch)
        # A plain shell without echo, prompts, colours or line editing: what comes back is output and nothing else.
        connection.write_channel(
            "exec env PS1= PS2= VTYSH_PAGER=cat TERM=dumb /bin/sh\nstty -echo; printf '%s-%s\\n' rackroll ready\n"
        )
        _read(connection, re.compile(r"rackroll-ready\r?\n"), CONNECT_TIMEOUT)
        return connection


def _read(connection: Any, end: re.Pattern[str], timeout: timedelta) -> re.Match[str]:
    """netmiko's own loop looks every 25 ms and does not notice a closed session before its timeout."""
    deadline = time.monotonic() + timeout.total_seconds()
    text = ""
    while not (match := end.search(text)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no answer within {timeout.total_seconds():g} s")
        new = connection.read_channel()
        if not new and connection.remote_conn.closed:
            raise EOFError("the switch closed the session")
        text += new or _pause()
    return match


def _pause() -> str:
    time.sleep(_POLL.total_seconds())
    return ""


def _answer(end: re.Match[str]) -> Answer:
    text = end.string[: end.start()].replace("\r", "")
    return Answer(int(end.group(1)), text.removesuffix("\n"))


def _netmiko_connect(switch: Switch) -> Any:
    from netmiko import ConnectHandler

    require_credentials(switch.ssh, f"switch {switch.name}")
    return ConnectHandler(
        device_type="linux",
        host=switch.ssh.address,
        port=switch.ssh.port,
        username=switch.ssh.user,
        use_keys=True,
        key_file=str(switch.ssh.key_file),
        allow_agent=False,
        ssh_strict=True,
        system_host_keys=False,
        alt_host_keys=True,
        alt_key_file=str(switch.ssh.known_hosts),
        conn_timeout=CONNECT_TIMEOUT.total_seconds(),
        auth_timeout=CONNECT_TIMEOUT.total_seconds(),
        banner_timeout=CONNECT_TIMEOUT.total_seconds(),
        keepalive=5,
    )


def _lost_line() -> tuple[type[BaseException], ...]:
    """Everything netmiko and paramiko raise for a line that is gone, refused or silent."""
    from netmiko.exceptions import NetmikoAuthenticationException, NetmikoTimeoutException, ReadException
    from paramiko.ssh_exception import SSHException

    return (
        NetmikoAuthenticationException,
        NetmikoTimeoutException,
        ReadException,
        SSHException,
        OSError,
        EOFError,
    )


def _unreachable(switch: Switch, error: BaseException) -> Unreachable:
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    at = f"{switch.ssh.user}@{switch.ssh.address}:{switch.ssh.port}"
    return Unreachable(
        f"no SSH session to {at}: {reason}",
        where=switch.name,
        hint=f"try `ssh -p {switch.ssh.port} -i {switch.ssh.key_file} {switch.ssh.user}@{switch.ssh.address}`; "
        f"its host key must be in {switch.ssh.known_hosts}",
    )


def _quietly(close: Callable[[], Any]) -> None:
    try:
        close()
    except _lost_line():
        return
