"""How we log in by ssh: strict host keys, one key, no agent, no trust on first use."""

from __future__ import annotations

import socket
from pathlib import Path

import paramiko

from rollout.errors import Unreachable
from rollout.model.site import SshAccess


def require_credentials(access: SshAccess, where: str) -> None:
    """Raises Unreachable naming the missing file: libraries report it as a bug of the caller, or trust anyone."""
    for what, path in (("private key", access.key_file), ("known_hosts file", access.known_hosts)):
        if not path.is_file():
            raise Unreachable(
                f"there is no {what} {path}",
                where=where,
                hint="for a lab: `rackroll lab up` writes it; else see ssh.keyFile and ssh.knownHosts in site.yaml",
            )


def strict_client(access: SshAccess) -> paramiko.SSHClient:
    """Logged in. An unknown or changed host key is refused, no agent and no other key is tried.

    Raises what paramiko and sockets raise; FileNotFoundError without a known_hosts file.
    """
    within = access.timeout.total_seconds()
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    client.load_host_keys(str(_known_hosts(access.known_hosts)))
    client.connect(
        access.address,
        port=access.port,
        username=access.user,
        key_filename=str(access.key_file),
        timeout=within,
        banner_timeout=within,
        auth_timeout=within,
        allow_agent=False,
        look_for_keys=False,
    )
    _no_delay(client)
    return client


def session(client: paramiko.SSHClient, access: SshAccess) -> paramiko.Channel:
    """For one command. Raises SSHException where the connection has ended, or no session is opened in time."""
    transport = client.get_transport()
    if transport is None:
        raise paramiko.SSHException("the connection has ended")
    return transport.open_session(timeout=access.timeout.total_seconds())


def _known_hosts(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"there is no known_hosts file {path}")
    return path


def _no_delay(client: paramiko.SSHClient) -> None:
    """Small packets both ways: Nagle would add a delayed acknowledgement to every exchange."""
    transport = client.get_transport()
    if transport is not None and isinstance(transport.sock, socket.socket):
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
