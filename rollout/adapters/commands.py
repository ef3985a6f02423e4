"""The site's own commands: on a node or a control-plane host by ssh, or on the machine that rackroll runs on.

Nothing is ever given to a local shell. An ssh server hands one string to the far login shell, so every argument
is quoted for it.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Timer

import paramiko

from rollout.adapters.ssh import require_credentials, session, strict_client
from rollout.engine.ports import CommandOutcome
from rollout.errors import StepFailed, Unreachable
from rollout.model.site import Site, SshAccess

LOCAL = "local"
TAIL = 4000
"""Characters of output that are kept: its end, where commands say why they failed."""

_LOST = (paramiko.SSHException, EOFError, OSError)
_LOOK = 0.1  # seconds between two looks at a command that says nothing
_NO_SUCH_PROGRAM, _NOT_EXECUTABLE = 127, 126  # as a shell has it


@dataclass(frozen=True, slots=True)
class SiteCommands:
    """Implements :class:`rollout.engine.ports.Commands`. ``timeout`` bounds one command: node upgrades are slow."""

    site: Site
    timeout: timedelta = timedelta(minutes=30)

    def run(self, host: str, argv: Sequence[str], within: timedelta | None = None) -> CommandOutcome:
        """Raises StepFailed for a host the site lacks and for a command that outlives ``timeout``.

        One on a far host that outlives ``within`` raises Unreachable instead: it may have run, or not.
        """
        if host == LOCAL:
            return self._here(argv)
        where, access = f"host {host}", self._access(host)
        require_credentials(access, where)
        try:
            client = strict_client(access)
        except _LOST as error:
            raise _unreachable(f"cannot log in: {error}", where, access) from None
        try:
            with _closed_after(client, within):
                return self._there(session(client, access), argv, where)
        except _LOST as error:
            text = f"the connection ended before the command did: {error or type(error).__name__}"
            raise _unreachable(text, where, access) from None
        finally:
            client.close()

    def _access(self, host: str) -> SshAccess:
        places = {place.name: place.ssh for place in self.site.kubernetes.control_plane}
        access = {node.name: node.ssh for node in self.site.nodes}.get(host) or places.get(host)
        if access is None:
            text = f"the site has no node or control-plane host {host}"
            raise StepFailed(text, hint="the site changed under the plan: plan again")
        return access

    def _here(self, argv: Sequence[str]) -> CommandOutcome:
        """A session of its own: Ctrl-C in the terminal stops rackroll between steps, not this command."""
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except FileNotFoundError:
            return CommandOutcome(_NO_SUCH_PROGRAM, f"there is no program {argv[0]}")
        except PermissionError:
            return CommandOutcome(_NOT_EXECUTABLE, f"{argv[0]} may not be executed")
        try:
            said, _ = process.communicate(timeout=self.timeout.total_seconds())
        except subprocess.TimeoutExpired:
            said = _killed(process)
            raise self._too_long("this machine", said, "it was killed") from None
        return CommandOutcome(process.returncode, _tail(said))

    def _there(self, channel: paramiko.Channel, argv: Sequence[str], where: str) -> CommandOutcome:
        channel.set_combine_stderr(True)
        sent = datetime.now(UTC)
        channel.exec_command(shlex.join(argv))
        channel.shutdown_write()
        said = self._heard(channel, where)
        code = channel.recv_exit_status()
        if code == -1:
            raise EOFError("no exit status came back")
        return CommandOutcome(code, _tail(said), sent)

    def _heard(self, channel: paramiko.Channel, where: str) -> bytes:
        """The end of both streams, once the far side has closed them."""
        end = time.monotonic() + self.timeout.total_seconds()
        channel.settimeout(_LOOK)
        said = b""
        while time.monotonic() < end:
            try:
                piece = channel.recv(65536)
            except TimeoutError:
                continue
            if not piece:
                return said
            said = (said + piece)[-4 * TAIL :]
        raise self._too_long(where, said, "it may still run there")

    def _too_long(self, where: str, said: bytes, state: str) -> StepFailed:
        text = f"the command did not end within {self.timeout.total_seconds():g} s; {state}. It said: "
        return StepFailed(
            text + (_tail(said) or "nothing"), where=where, hint="look at the host, then resume"
        )


@contextmanager
def _closed_after(client: paramiko.SSHClient, within: timedelta | None) -> Iterator[None]:
    """A host without power sends nothing more, and TCP would wait a quarter of an hour: closing ends every wait."""
    if within is None:
        yield
        return
    timer = Timer(within.total_seconds(), client.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    except _LOST as error:
        late = f"no answer within {within.total_seconds():g} s"
        raise EOFError(late if timer.finished.is_set() else str(error) or type(error).__name__) from None
    finally:
        timer.cancel()


def _killed(process: subprocess.Popen[bytes]) -> bytes:
    """With everything it started: a grandchild would hold the pipe open."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    said, _ = process.communicate()
    return said


def _unreachable(text: str, where: str, access: SshAccess) -> Unreachable:
    hint = "check the host, its key file and known_hosts; the command is run again on resume"
    return Unreachable(text, where=f"{where} ({access.user}@{access.address}:{access.port})", hint=hint)


def _tail(said: bytes) -> str:
    """Ends of lines as they come; what is no UTF-8 is shown as replacement characters."""
    return said.decode(errors="replace").strip()[-TAIL:]
