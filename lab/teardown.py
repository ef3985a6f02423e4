"""Leaving nothing behind, whatever state the lab is in: half made, crashed, or gone already."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from lab import netns, registry, services
from lab.command import run
from lab.process import PROC, ProcessRef, kill
from lab.state import lab_folder
from rollout.errors import RackrollError


def remove(site_folder: Path) -> bool:
    """Stop everything and remove it; False when there was nothing. RackrollError if something stays."""
    claims = registry.claims_of(site_folder)
    folder = lab_folder(site_folder)
    was_there = bool(claims) or folder.exists()
    services.stop_all(site_folder)
    for claim in claims:
        _remove_namespaces(claim.namespaces)
        registry.release(claim)
    _unmount_below(folder)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        raise RackrollError("the lab's folder cannot be removed", where=str(folder), hint="remove it by hand")
    return was_there


def _remove_namespaces(names: Sequence[str]) -> None:
    _empty(names)
    present = netns.existing(names)
    if present:
        run(["ip", "-batch", "-"], stdin="".join(f"netns del {name}\n" for name in present))


def _empty(namespaces: Sequence[str]) -> None:
    """Kill every process that lives in one of the namespaces; process 1 of a host takes its host along.

    A dying process has left its namespace before it is gone: those already met are waited for as well.
    """
    deadline = time.monotonic() + 10
    met: set[ProcessRef] = set()
    while True:
        met.update(ref for group in netns.members(namespaces).values() for ref in group)
        met = {ref for ref in met if ref.alive}
        if not met:
            return
        if time.monotonic() > deadline:
            pids = ", ".join(str(ref.pid) for ref in met)
            raise RackrollError(f"processes do not die: {pids}", where="lab", hint="look at them with ps")
        for ref in met:
            kill(ref)
        time.sleep(0.05)


def _unmount_below(folder: Path) -> None:
    """Hosts mount in their own namespaces only; this is for a mount that somebody made here all the same."""
    lines = (PROC / "self" / "mountinfo").read_text().splitlines()
    points = [line.split()[4] for line in lines]
    for point in sorted((p for p in points if Path(p).is_relative_to(folder)), reverse=True):
        run(["umount", "-l", point])
