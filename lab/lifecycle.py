"""Bringing a site's lab up and taking it down. ``python -m lab.lifecycle up|down|status <site folder>``.

``up`` is idempotent: what runs is left alone, a dead host or service is started again, and a lab that was
interrupted half-way is taken down first. ``down`` works after a crash of anything, and twice.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from lab import netns, preflight, registry, teardown
from lab.assembly import assemble, repair
from lab.blueprint import Blueprint, draw
from lab.real import needs
from lab.state import LabState, find_state
from lab.status import LabStatus, status
from lab.vm.state import vm_folder
from rollout.errors import RackrollError
from rollout.model.site import Site
from rollout.site.load import load_site

__all__ = ["LabStatus", "down", "status", "up"]

Progress = Callable[[str], None]


def up(site: Site, *, progress: Progress, real: bool = False) -> LabState:
    """The site's lab, running. ``real``: on upstream's Kubernetes and MetalLB, which `make tools` builds.

    Raises RackrollError with what is missing and what to do.
    """
    preflight.check_machine()
    if real:
        needs.require(site)
    blueprint = draw(site, real=real)
    _refuse_machines(blueprint.folder)
    with registry.only_one(blueprint.folder):
        state = _usable(blueprint)
        if state is not None:
            _refuse_other_kind(state, real=real)
            return repair(blueprint, state, progress)
        if teardown.remove(blueprint.folder):
            progress("removed what was left of an earlier lab")
        return assemble(blueprint, progress)


def down(site_folder: Path) -> bool:
    """Remove the lab of this folder; False when there was none. The folder itself may be gone already."""
    folder = site_folder.resolve()
    with registry.only_one(folder):
        return teardown.remove(folder)


def _refuse_machines(folder: Path) -> None:
    if vm_folder(folder).exists():
        hint = f"`rackroll lab up --vm` goes on with it, `rackroll lab down --vm -i {folder}` removes it"
        raise RackrollError("the lab of this folder is one of virtual machines", where=str(folder), hint=hint)


def _refuse_other_kind(state: LabState, *, real: bool) -> None:
    if state.real != real:
        kinds = ("real", "simulated") if state.real else ("simulated", "real")
        raise RackrollError(
            f"this lab is up with a {kinds[0]} Kubernetes, not a {kinds[1]} one",
            where=str(state.folder),
            hint="run `rackroll lab down` first: a cluster does not change its kind",
        )


def _usable(blueprint: Blueprint) -> LabState | None:
    """The state of a lab that was fully up and still has all its namespaces."""
    try:
        state = find_state(blueprint.folder)
    except RackrollError:
        return None
    if state is None or not state.complete:
        return None
    names = blueprint.namespaces
    claimed = any(claim.namespaces == names for claim in registry.claims_of(blueprint.folder))
    return state if claimed and netns.existing(names) == names else None


def _main(verb: str, folder: str) -> None:
    began = time.monotonic()
    match verb:
        case "up":
            up(load_site(folder), progress=lambda line: print(line, file=sys.stderr))
        case "down":
            down(Path(folder))
        case "status":
            _print(status(Path(folder)))
        case _:
            raise RackrollError(f"unknown verb {verb!r}", hint="up, down or status")
    print(f"{verb}: {time.monotonic() - began:.1f} s", file=sys.stderr)


def _print(seen: LabStatus) -> None:
    print("up" if seen.up else "not up" if seen.parts else "no lab")
    for part in seen.parts:
        count = f"{part.running}/{part.expected}" if part.expected is not None else str(part.running)
        print(f"{part.truth:10} {count:>6}  {part.name}: {part.detail}")


if __name__ == "__main__":
    try:
        _main(sys.argv[1], sys.argv[2])
    except RackrollError as refused:
        print(f"error: {refused}", file=sys.stderr)
        sys.exit(refused.exit_code)
