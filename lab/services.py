"""The lab's processes in the machine's own namespaces: forwarder, resilient-hash watcher, daemon."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from lab import netns
from lab.host.launch import last_words
from lab.process import PROC, ProcessRef, reference, stop
from lab.state import ServiceState, lab_folder, log_folder
from rollout.errors import RackrollError

FORWARD = "lab.forward"
RESILIENT = "lab.fabric.resilient"
DAEMON = "lab.daemon"
REAL_DAEMON = "lab.real.daemon"
MODULES = (DAEMON, REAL_DAEMON, RESILIENT, FORWARD)
"""In the order in which they stop; a lab has one of the two daemons."""

_READY_WITHIN = timedelta(seconds=30)
_REAL_READY_WITHIN = timedelta(seconds=120)


def installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def expected(*, real: bool) -> tuple[str, ...]:
    """What a lab of this kind runs."""
    other = daemon(real=not real)
    return tuple(module for module in MODULES if module != other and installed(module))


def daemon(*, real: bool) -> str:
    return REAL_DAEMON if real else DAEMON


def start(module: str, site_folder: Path) -> ServiceState:
    """Start ``python -m <module> <site folder>``, detached: it outlives the command that started it."""
    log_folder(site_folder).mkdir(parents=True, exist_ok=True)
    with (log_folder(site_folder) / f"{module}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(site_folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={**os.environ, "PYTHONPATH": _import_path()},
            start_new_session=True,
        )
    return ServiceState(module, reference(process.pid))


def _import_path() -> str:
    ours = str(Path(__file__).parent.parent)
    return os.pathsep.join(part for part in (ours, os.environ.get("PYTHONPATH", "")) if part)


def await_daemon(service: ServiceState, site_folder: Path) -> None:
    """Wait for the daemon's own word that it serves: its ``daemon.json`` and the kubeconfig."""
    wanted = [lab_folder(site_folder) / name for name in ("daemon.json", "kubeconfig")]
    within = _REAL_READY_WITHIN if service.name == REAL_DAEMON else _READY_WITHIN
    deadline = time.monotonic() + within.total_seconds()
    while not all(path.exists() for path in wanted):
        if not service.process.alive or time.monotonic() > deadline:
            hint = last_words(log_folder(site_folder))
            raise RackrollError("the lab daemon did not come up", where="lab", hint=hint)
        time.sleep(0.05)


def running(site_folder: Path) -> dict[str, ProcessRef]:
    """Our services by module, found by their exact command line: right even when the state file is lost."""
    found: dict[str, ProcessRef] = {}
    for pid in netns.pids():
        module = _module_of(pid, str(site_folder))
        if module in MODULES:
            try:
                found[module] = reference(pid)
            except ProcessLookupError:
                continue
    return found


def _module_of(pid: int, site_folder: str) -> str | None:
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    match words:
        case [_, "-m", module, folder, ""] if folder == site_folder:
            return module
    return None


def stop_all(site_folder: Path) -> None:
    found = running(site_folder)
    for module in MODULES:
        if module in found:
            stop(found[module], grace=timedelta(seconds=5))
