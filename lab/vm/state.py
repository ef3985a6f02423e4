"""What is up beside the embedded lab's state file: libvirtd, how the machines run, and how long each part took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.process import ProcessRef
from lab.state import lab_folder


@dataclass(frozen=True, slots=True)
class VmState:
    """``native``: on the processor itself, not emulated. ``seconds`` by part of ``up``."""

    complete: bool
    hypervisor: ProcessRef
    native: bool
    seconds: Mapping[str, float]


def vm_folder(site_folder: Path) -> Path:
    return lab_folder(site_folder) / "vm"


def write_vm_state(site_folder: Path, state: VmState) -> None:
    path = vm_folder(site_folder) / "state.json"
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(state), indent=1))
    draft.replace(path)


def read_vm_state(site_folder: Path) -> VmState | None:
    """None when there is none, or none that can be read: ``up`` then starts afresh."""
    try:
        raw = json.loads((vm_folder(site_folder) / "state.json").read_text())
        return VmState(raw["complete"], ProcessRef(**raw["hypervisor"]), raw["native"], raw["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
