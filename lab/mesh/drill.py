"""What a drill does with the lab's meshes from outside: collect what the pairs wrote, look, and do harm on purpose.

Meshes and pairs themselves come and go by their manifests (lab/apps), through the Kubernetes API. Everything here goes
by the files of the pods on their nodes, so nothing has to answer for a fault to be made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab import netns
from lab.mesh.records import FOLDER
from lab.mesh.surroundings import (
    CONTROL,
    FILE,
    POD_FOLDERS,
    TRUST,
    Part,
    Pod,
    Surroundings,
    load,
    read_control,
)
from lab.process import PROC, kill, reference
from lab.state import share_folder
from rollout.errors import RackrollError
from rollout.model.site import Site


@dataclass(frozen=True, slots=True)
class Running:
    """One pod of the drill. ``folder`` is the lab host's path to its files, ``inside`` the node's.

    ``dialled``: others have it among their peers, so it is ready and not on its way out.
    """

    pod: Pod
    mesh: str
    part: Part
    folder: Path
    inside: str
    dialled: bool = False


def records(folder: Path, site: Site) -> Iterator[str]:
    """Every line of every pair that ever ran in this lab; nothing has to run for it, not even the nodes."""
    for node in site.nodes:
        kept = share_folder(folder, node.name) / FOLDER
        for file in sorted(kept.glob("*.jsonl*")):
            with file.open(encoding="utf-8") as lines:
                yield from lines


def forget(folder: Path, site: Site) -> None:
    """Empty the files: a new drill counts from nothing. A pair that runs goes on in its own."""
    for node in site.nodes:
        for file in (share_folder(folder, node.name) / FOLDER).glob("*.jsonl*"):
            file.unlink() if file.suffix == ".1" else file.write_text("")


def running(folder: Path, site: Site) -> tuple[Running, ...]:
    """The drill's pods, by name; also those that are on their way in or out."""
    found = tuple(_found(folder, site))
    peers = {peer.name for _, around in found for peer in around.peers}
    known = (replace(one, dialled=one.pod.name in peers) for one, _ in found)
    return tuple(sorted(known, key=lambda one: one.pod.name))


def _found(folder: Path, site: Site) -> Iterator[tuple[Running, Surroundings]]:
    for node in site.nodes:
        for file in (share_folder(folder, node.name) / POD_FOLDERS).glob(f"*/{FILE}"):
            try:
                around = load(file.read_text())
            except (OSError, ValueError):  # it has just gone
                continue
            inside = f"/run/lab/{POD_FOLDERS}/{file.parent.name}"
            yield Running(around.own, around.mesh, around.part, file.parent, inside), around


def pair_of(folder: Path, site: Site, *, pod: str = "", node: str = "") -> Running:
    """The pair of this name, or the one on this node, rather one that is dialled. Raises RackrollError for none."""
    pairs = [one for one in running(folder, site) if one.part is Part.PAIR]
    pairs.sort(key=lambda one: not one.dialled)
    found = next((one for one in pairs if pod in ("", one.pod.name) and node in ("", one.pod.node)), None)
    if found is None:
        there = ", ".join(f"{one.pod.name} on {one.pod.node}" for one in pairs) or "none"
        raise RackrollError(f"no pair {pod or node}", where="lab", hint=f"running pairs: {there}")
    return found


def trust(one: Running) -> dict[str, Any]:
    """What a pair trusts and shows, as fingerprints (SHA-256): ``leaf``, ``chain``, ``roots``, ``notAfter``."""
    told: dict[str, Any] = json.loads((one.folder / TRUST).read_text())
    return told


def corrupt_trust(folder: Path, site: Site, node: str, anchors: Iterable[str]) -> Running:
    """Make the pair on ``node`` forget these anchors (SHA-256); with none given it has all of its own again."""
    found = pair_of(folder, site, node=node)
    _control(found, drop=sorted(anchors))
    return found


def freeze(folder: Path, site: Site, pod: str, *, frozen: bool = True) -> Running:
    """The pod renews nothing, hears no push and does not end when it is deleted, until it is thawed."""
    found = pair_of(folder, site, pod=pod)
    _control(found, frozen=frozen)
    return found


def _control(one: Running, **changed: Any) -> None:
    before = read_control(one.folder)
    wanted = {"drop": sorted(before.drop), "frozen": before.frozen, **changed}
    draft = (one.folder / CONTROL).with_suffix(".draft")
    draft.write_text(json.dumps(wanted))
    draft.replace(one.folder / CONTROL)


def stop_signer(folder: Path, site: Site, mesh: str, pod: str = "") -> tuple[str, ...]:
    """SIGKILL to the processes of the mesh's signers, or of one of them; their kubelets start them again.

    Returns the pods' names. Raises RackrollError when none runs.
    """
    signers = [one for one in running(folder, site) if (one.mesh, one.part) == (mesh, Part.SIGNER)]
    killed = tuple(one.pod.name for one in signers if pod in ("", one.pod.name) and _kill(one))
    if not killed:
        raise RackrollError(
            f"no signer of {mesh} runs", where="lab", hint="apply its manifest and wait for it"
        )
    return killed


def _kill(one: Running) -> bool:
    mark = f"LAB_FOLDER={one.inside}".encode()
    found = [pid for pid in netns.pids() if mark in _environment(pid)]
    for pid in found:
        kill(reference(pid))
    return bool(found)


def _environment(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
