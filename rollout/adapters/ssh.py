"""What every ssh login of ours needs before a library is asked to use it."""

from __future__ import annotations

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
