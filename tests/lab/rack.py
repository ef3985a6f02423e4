"""A lab of this room's own, and shells on its hosts, for tests that need real sshd, chronyd and FRR."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import lifecycle
from lab.sitecopy import copy_site
from rollout.model.site import Site, SshAccess
from rollout.site.load import load_site

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def running_lab(folder: Path) -> Iterator[Site]:
    """Two racks under 127.94/16, gone afterwards; the folder also holds a hosts.py for plain pyinfra."""
    copy_site(ROOT / "inventory" / "lab", folder, name="labhosts", loopback="127.94.")
    (folder / "hosts.py").write_text((ROOT / "inventory" / "lab" / "hosts.py").read_text())
    site = load_site(folder)
    try:
        lifecycle.up(site, progress=lambda _: None)
        yield site
    finally:
        lifecycle.down(folder)


def shell(ssh: SshAccess, script: str) -> str:
    """Run a script on a host with OpenSSH, independently of pyinfra and netmiko; its output, or a failed test."""
    done = subprocess.run(
        [
            "ssh",
            *("-i", str(ssh.key_file), "-p", str(ssh.port)),
            *(
                "-o",
                f"UserKnownHostsFile={ssh.known_hosts}",
                "-o",
                "StrictHostKeyChecking=yes",
                "-o",
                "BatchMode=yes",
            ),
            f"{ssh.user}@{ssh.address}",
            "sh -s",
        ],
        input=script,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{script!r} on {ssh.address}: {done.stdout}{done.stderr}"
    return done.stdout
