"""Start the load in the outside client's network namespace, and read its running totals."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from lab.host.enter import bounding_set
from lab.load.tally import LoadCount
from lab.state import read_state
from rollout.errors import StepFailed
from rollout.model.mesh import Gateway
from rollout.model.site import ProbePoint, Site

ROOT = Path(__file__).resolve().parents[2]


def load_argv(gateway: Gateway, probe: ProbePoint, *, rate: float, keepalive: int) -> list[str]:
    """The load's own command line; the caller puts whatever enters the client's namespace before it."""
    options = {
        "--address": str(gateway.vip),
        "--port": str(gateway.port),
        "--host": probe.host_header,
        "--path": probe.path,
        "--rate": str(rate),
        "--keepalive": str(keepalive),
    }
    return [sys.executable, "-m", "lab.load", *(word for pair in options.items() for word in pair)]


def from_outside(site: Site, argv: Sequence[str]) -> list[str]:
    """``argv`` in the network namespace of the lab's outside client, and only there.

    Only the network: the load's interpreter and code need not lie on the filesystem that the lab hosts see.
    nsenter does not fork here, so the process started is the load itself.
    """
    client = read_state(site.folder).host(site.probe.name)
    enter = ["nsenter", f"--target={client.init.pid}", "--net", "--"]
    return [*enter, "setpriv", f"--bounding-set={bounding_set()}", "--", *argv]


class RunningLoad(AbstractContextManager["RunningLoad"]):
    """A load process and its latest totals; leaving the context stops it and waits for the final count."""

    def __init__(self, argv: Sequence[str], *, patience_s: float = 15.0) -> None:
        self._patience_s = patience_s
        self._latest = LoadCount()
        self._process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def latest(self) -> LoadCount:
        return self._latest

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> LoadCount:
        """Final totals; raises StepFailed when the load died early, for a dead load counts nothing."""
        if self.running:
            self._process.terminate()
        try:
            self._process.wait(self._patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reader.join(self._patience_s)
        if not self._latest.final:
            raise StepFailed(
                f"the load ended without its final count: {self._stderr_tail()}",
                where="outside client",
                hint="run `rackroll lab status`; the client namespace must reach the VIP",
            )
        return self._latest

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.running:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        stream = self._process.stdout
        if stream is not None:
            for line in stream:
                self._latest = LoadCount.parse(line)

    def _stderr_tail(self) -> str:
        stream = self._process.stderr
        lines = stream.read().splitlines() if stream is not None else []
        return lines[-1] if lines else f"exit code {self._process.returncode}"
