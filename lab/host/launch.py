"""Starting lab hosts and knowing that they run."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from lab.host.enter import bounding_set
from lab.process import ProcessRef, children, reference
from lab.state import HostState, namespace_of, share_folder
from lab.topology import LabHost
from rollout.errors import RackrollError

INIT = Path(__file__).with_name("init.sh")


def start(site: str, folder: Path, host: LabHost, show: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start process 1 of a host in its (already wired) namespace; ``show``: folders to see read-only.

    ``--kill-child`` ties it to its ``unshare``: whatever dies first, the whole host goes.
    """
    share = share_folder(folder, host.name)
    (share / "started").unlink(missing_ok=True)
    enter = ["nsenter", f"--net=/run/netns/{namespace_of(site, host.name)}", "unshare", "--mount", "--uts"]
    apart = ["--pid", "--ipc", "--fork", "--kill-child", "--propagation=private", "/bin/sh", str(INIT)]
    with (share / "log" / "init.log").open("ab") as log:
        return subprocess.Popen(
            [*enter, *apart, host.name, str(share), bounding_set(), *show],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )


def await_started(site: str, folder: Path, host: LabHost, shell: subprocess.Popen[bytes]) -> HostState:
    """Wait until process 1 has started every service; raises RackrollError with the log's end."""
    share = share_folder(folder, host.name)
    deadline = time.monotonic() + timedelta(seconds=30).total_seconds()
    while not (share / "started").exists():
        if shell.poll() is not None or time.monotonic() > deadline:
            raise RackrollError(
                "this lab host did not start", where=host.name, hint=last_words(share / "log")
            )
        time.sleep(0.02)
    return HostState(
        name=host.name,
        role=host.role,
        namespace=namespace_of(site, host.name),
        init=_init_of(shell, host),
        oob_address=str(host.oob_address),
        fabric_address=str(host.fabric_address) if host.fabric_address else None,
        forward=str(host.forward) if host.forward else None,
        share=share,
    )


def _init_of(shell: subprocess.Popen[bytes], host: LabHost) -> ProcessRef:
    found = children(shell.pid)
    if not found:
        raise RackrollError("this lab host died while it started", where=host.name)
    return reference(found[0])


def last_words(folder: Path) -> str:
    """The end of every log in a folder, for an error's hint: the logs go when the lab goes."""
    said = [
        f"{path.name}: {text[-400:]}"
        for path in sorted(folder.glob("*.log"))
        if (text := path.read_text(errors="replace").strip())
    ]
    return f"see {folder}; " + " | ".join(said) if said else f"see {folder}"
