"""What the tests ask of a machine: its shell, its reboot, and waiting that is bounded and never judged."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from rollout.model.site import SshAccess

PATIENCE = timedelta(minutes=15)
"""For one thing to come true on an emulated machine beside others; only its absence fails a test."""


@dataclass(frozen=True, slots=True)
class Shell:
    """A host's shell by OpenSSH with strict host keys, independent of pyinfra and netmiko."""

    host: str
    ssh: SshAccess

    def run(self, script: str) -> str:
        code, said = self.code(script)
        assert code == 0, f"{script!r} on {self.host}: {said}"
        return said

    def code(self, script: str) -> tuple[int, str]:
        """Exit code (255: ssh itself) and both streams."""
        options = {
            "UserKnownHostsFile": str(self.ssh.known_hosts),
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": "60",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        to = ["-i", str(self.ssh.key_file), "-p", str(self.ssh.port), f"{self.ssh.user}@{self.ssh.address}"]
        done = subprocess.run(
            ["ssh", *words, *to, "exec 2>&1; sh -s"],
            input=script,
            capture_output=True,
            text=True,
            timeout=PATIENCE.total_seconds(),
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def read(self, path: str) -> str:
        return self.run(f"cat {path}").strip()

    def boot_id(self) -> str:
        return self.read("/proc/sys/kernel/random/boot_id")

    def set_clock_right(self) -> None:
        """By chronyd, which must have measured the error before it can step it away."""
        script = "chronyc -a 'burst 4/4' && sleep 10 && chronyc makestep && chronyc waitsync 10 0.02 0 1"
        eventually(f"{self.host}'s clock is right", lambda: self.code(script)[0] == 0)

    def reboot(self) -> None:
        """Returns once a new kernel has booted and answers over ssh; known_hosts is the same as before."""
        before = self.boot_id()
        self.code("systemctl reboot")
        eventually(f"{self.host} is back", lambda: self._booted_since(before))
        over = ("running", "degraded")
        eventually(
            f"{self.host} has booted",
            lambda: self.code("systemctl is-system-running")[1].strip() in over,
        )

    def _booted_since(self, before: str) -> bool:
        code, said = self.code("cat /proc/sys/kernel/random/boot_id")
        return code == 0 and said.strip() != before


def eventually(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE.total_seconds()
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE}: {what}"
        time.sleep(1)
