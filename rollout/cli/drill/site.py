"""The drill's site: the lab's racks under their own name, with one mesh, its key store and two people who sign."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from lab.lifecycle import down
from lab.registry import only_one
from rollout.cli.drill.ground import ROOT, Ground
from rollout.errors import LockHeld, RackrollError, StepFailed
from rollout.model.mesh import MeshKind

APPS = ROOT / "lab" / "apps"
PAIRS = "drill"
PEOPLE = ("drill-one", "drill-two")

_OTHERS: Mapping[MeshKind, dict[str, Any]] = MappingProxyType(
    {
        MeshKind.LINKERD: {
            "version": "edge-26.6.3",
            "namespace": "linkerd",
            "trustDomain": "cluster.local",
        },
        MeshKind.CONSUL: {
            "version": "1.22.2",
            "namespace": "consul",
            "trustDomain": "11111111-2222-3333-4444-555555555555.consul",
            "backup": ["true"],
            "releases": [{"version": "1.22.2", "chart": "1.9.2"}],
        },
    }
)
"""Meshes that the drill brings up from manifests. They have no gateways in the lab."""


@dataclass(frozen=True, slots=True)
class DrillSite:
    """``keys`` are the two people's private keys; they exist for this lab only. ``again``: the lab is there already."""

    folder: Path
    kind: MeshKind
    ground: Ground
    again: bool = False

    @property
    def mesh(self) -> str:
        return self.kind.value

    @property
    def keys(self) -> tuple[Path, ...]:
        return tuple(self.folder / "people" / name for name in PEOPLE)


def drill_folder() -> Path:
    """User state, outside the repository; its history outlives the labs."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "rackroll" / "drill"


@contextmanager
def drill_site(
    kind: MeshKind, ground: Ground, *, keep: bool = False, again: bool = False, impatient: bool = False
) -> Iterator[DrillSite]:
    """``again``: the lab that an earlier drill kept; else a fresh one, and what an earlier drill left is taken down.

    ``keep``: not taken down at the end. ``impatient``: what does not come true holds the run after 40 s.
    """
    folder = drill_folder() / "labs" / ground.name
    with _alone(folder):
        site = DrillSite(folder, kind, ground, again)
        if again:
            _require_kept(site)
        else:
            clear(folder)
            ground.lay(folder)
            _rewrite(folder / "site.yaml", kind)
        _pace(folder / "site.yaml", "40s" if impatient and not ground.vm else ground.step_timeout)
        try:
            if not again:
                people(site)
            yield site
        finally:
            if not keep:
                clear(folder)


def _require_kept(site: DrillSite) -> None:
    """Raises RackrollError where no drill of this mesh has left its lab."""
    file = site.folder / "site.yaml"
    meshes = yaml.safe_load(file.read_text(encoding="utf-8"))["meshes"] if file.exists() else []
    if [mesh["kind"] for mesh in meshes] != [site.mesh]:
        left = f"a lab of {meshes[0]['kind']}" if meshes else "no lab"
        raise RackrollError(
            f"--again, and the drills have left {left} here",
            where=str(site.folder),
            hint=f"run `rackroll drill rotate --mesh {site.mesh} --keep` first",
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """A second drill would begin by taking the first one's lab down. The lock goes with the process."""
    with ExitStack() as held:
        try:
            held.enter_context(only_one(folder / "drill"))
        except LockHeld:
            hint = "wait for it, or give this one a --name and a --loopback of its own"
            raise LockHeld("a drill is at work here", where=str(folder), hint=hint) from None
        yield


def clear(folder: Path) -> None:
    if folder.exists():
        down(folder)
        shutil.rmtree(folder)


def _pace(file: Path, patience: str) -> None:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document["pacing"] |= {"soak": "1s", "soakSamples": 20, "stepTimeout": patience}
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def _rewrite(file: Path, kind: MeshKind) -> None:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    istio = document["meshes"][0]
    pki = {
        "owner": "the drill",
        "folder": f".lab/pki/{kind.value}",
        "keys": {"passphraseFile": ".lab/pki-passphrase"},
    }
    if kind is MeshKind.ISTIO:
        mesh = {**istio, "namespaces": [*istio["namespaces"], PAIRS], "pki": pki}
    else:
        mesh = {"name": kind.value, "kind": kind.value, **_OTHERS[kind], "namespaces": [PAIRS]}
        mesh |= {"charts": istio["charts"], "gateways": [], "pki": pki}
    document["meshes"] = [mesh]
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def people(site: DrillSite) -> None:
    """Removing a root needs two signatures, on a lab too: the drill drills that as well."""
    lines = []
    for name, key in zip(PEOPLE, site.keys, strict=True):
        key.parent.mkdir(mode=0o700, exist_ok=True)
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StepFailed(
                f"ssh-keygen made no key: {done.stderr.strip()}", hint="install OpenSSH's client"
            )
        lines.append(f"{name} {key.with_suffix('.pub').read_text(encoding='utf-8').strip()}\n")
    (site.folder / "allowed_signers").write_text("".join(lines), encoding="utf-8")
