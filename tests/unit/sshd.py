"""A small SSH server inside the test process: one user, one key, commands run by ``sh -c``."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import paramiko
from paramiko import common

from rollout.model.site import SshAccess


class _Policy(paramiko.ServerInterface):
    def __init__(self, server: SshServer) -> None:
        self._server = server

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        allowed = username == "root" and key == self._server.user_key
        return common.AUTH_SUCCESSFUL if allowed else common.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        del username
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        del chanid
        return common.OPEN_SUCCEEDED if kind == "session" else common.OPEN_FAILED_UNKNOWN_CHANNEL_TYPE

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._server.commands.append(command.decode())
        threading.Thread(target=self._server.execute, args=(channel, command.decode()), daemon=True).start()
        return True


class SshServer:
    """``instead`` replaces every command; ``commands`` and ``connections`` tell what came in."""

    def __init__(self, folder: Path) -> None:
        self.user_key = paramiko.ECDSAKey.generate()
        self.host_key = paramiko.ECDSAKey.generate()
        self.other_key = paramiko.ECDSAKey.generate()
        self.commands: list[str] = []
        self.connections = 0
        self.instead: str | None = None
        self._transports: list[paramiko.Transport] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        self.access = self._access(folder)

    def _access(self, folder: Path) -> SshAccess:
        key_file, known_hosts = folder / "id", folder / "known_hosts"
        self.user_key.write_private_key_file(str(key_file))
        port = self._listener.getsockname()[1]
        access = SshAccess("127.0.0.1", port, "root", key_file, known_hosts)
        self.access = access
        known_hosts.write_text(self.known_hosts_line(self.host_key))
        return access

    def known_hosts_line(self, key: paramiko.PKey) -> str:
        return f"[127.0.0.1]:{self.access.port} {key.get_name()} {key.get_base64()}\n"

    def execute(self, channel: paramiko.Channel, command: str) -> None:
        given = channel.makefile("rb").read()
        done = subprocess.run(["sh", "-c", self.instead or command], input=given, capture_output=True)
        with suppress(OSError):  # who asked may have given up meanwhile
            channel.sendall(done.stdout)
            channel.sendall_stderr(done.stderr)
            channel.send_exit_status(done.returncode)
        channel.close()

    def drop_connections(self) -> None:
        while self._transports:
            self._transports.pop().close()

    def close(self) -> None:
        """Shut down first: closing alone would leave the socket listening while a thread sits in accept."""
        if self._thread.is_alive():
            self._listener.shutdown(socket.SHUT_RDWR)
            self._thread.join(timeout=5)
        self._listener.close()
        self.drop_connections()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            transport = paramiko.Transport(peer)
            transport.add_server_key(self.host_key)
            transport.start_server(event=threading.Event(), server=_Policy(self))
            self._transports.append(transport)


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    server = SshServer(folder)
    try:
        yield server
    finally:
        server.close()
