"""Volumes that outlive their pod: one folder per claim, below the share folder of the node that has it now.

They stand for network-attached volumes: all of a lab's share folders are on one machine, so a claim follows its pod
to another node by a rename.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.kube.objects import Obj
from lab.real.volumes import Volumes
from lab.state import share_folder

_FOLDER = "volumes"


def attach(site_folder: Path, node: str, claim: str) -> str:
    """The claim's folder inside ``node``; an empty one, for root alone, where it has been nowhere yet."""
    own = share_folder(site_folder, node) / _FOLDER / claim
    if not own.exists():
        own.parent.mkdir(parents=True, exist_ok=True)
        before = next(share_folder(site_folder, "x").parent.glob(f"*/{_FOLDER}/{claim}"), None)
        if before is None:
            own.mkdir(mode=0o700)
        else:
            before.rename(own)
    return f"/run/lab/{_FOLDER}/{claim}"


@dataclass(frozen=True, slots=True)
class KeptVolumes(Volumes):
    """As :class:`Volumes`, with claims."""

    def mounts(self, container: Obj, only: frozenset[str] | None = None) -> list[tuple[str, str]]:
        kept = {f"{self.folder}/{volume['name']}": volume for volume in self._claimed()}
        return [
            (self._attached(kept[source]) if source in kept else source, target)
            for source, target in Volumes.mounts(self, container, only)
        ]

    def _claimed(self) -> list[Obj]:
        return [v for v in self.pod["spec"].get("volumes") or () if "persistentVolumeClaim" in v]

    def _attached(self, volume: Obj) -> str:
        claim = f"{self.pod['metadata']['namespace']}-{volume['persistentVolumeClaim']['claimName']}"
        return attach(self.machine.folder, self.machine.name, claim)
