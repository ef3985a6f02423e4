"""What the lab's kubelet tells a meshed process about its surroundings: a file that is rewritten when they change.

It stands for what a proxy hears from its control plane: which pods are ready, who they are, where the signers answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from lab.mesh.records import End

FILE = "surroundings.json"
CONTROL = "control.json"
TRUST = "trust.json"
OUTBOX = "outbox.jsonl"
POD_FOLDERS = "pods"
"""Below a node's share folder (``/run/lab`` inside it): one folder for each pod of the drill, with the files above."""


class Part(StrEnum):
    """What a pod of the drill is. One that only has its volumes kept stands for what reads them elsewhere."""

    PAIR = "pair"
    SIGNER = "signer"
    VOLUMES = "volumes"


@dataclass(frozen=True, slots=True)
class Pod:
    name: str
    namespace: str
    account: str
    address: str
    node: str
    rack: str

    @property
    def end(self) -> End:
        return End(self.name, self.node, self.rack)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """``peers`` are the other ready pods, ``signers`` the addresses of the mesh's ready signers.

    ``mesh`` and ``part`` (a :class:`Part`) say what the pod itself is.
    """

    own: Pod
    mesh: str
    part: Part
    peers: tuple[Pod, ...] = ()
    signers: tuple[str, ...] = ()

    def dump(self) -> str:
        return json.dumps(asdict(self))


def load(text: str) -> Surroundings:
    raw = json.loads(text)
    peers = tuple(Pod(**peer) for peer in raw["peers"])
    own, part = Pod(**raw["own"]), Part(raw["part"])
    return Surroundings(own, raw["mesh"], part, peers, tuple(raw["signers"]))


@dataclass(frozen=True, slots=True)
class Control:
    """Faults of the drill: anchors to forget (SHA-256), and whether to stay as it is for good."""

    drop: frozenset[str] = frozenset()
    frozen: bool = False


def read_control(folder: Path) -> Control:
    """No file, or half a file, is no fault."""
    try:
        raw = json.loads((folder / CONTROL).read_text())
        return Control(frozenset(raw.get("drop", ())), bool(raw.get("frozen")))
    except (OSError, ValueError):
        return Control()


@dataclass(frozen=True, slots=True)
class Settings:
    """From the pod's environment: its ``folder``, its ``address``, and the knobs (seconds)."""

    folder: Path
    records: Path
    address: str
    mesh: str
    environment: Mapping[str, str]

    def number(self, name: str, default: float) -> float:
        """Raises ValueError for one that is no number."""
        return float(self.environment.get(name) or default)

    def surroundings(self) -> Surroundings | None:
        """None while the kubelet has not written it."""
        try:
            return load((self.folder / FILE).read_text())
        except (OSError, ValueError):
            return None


def settings(environment: Mapping[str, str]) -> Settings:
    return Settings(
        folder=Path(environment["LAB_FOLDER"]),
        records=Path(environment.get("LAB_RECORDS", "/run/lab/mesh")),
        address=environment["LAB_ADDRESS"],
        mesh=environment["LAB_MESH"],
        environment=environment,
    )


def say(folder: Path, **words: Any) -> None:
    """Leave a word for the kubelet to carry to the Kubernetes API, as a signer would write there itself."""
    with (folder / OUTBOX).open("a", encoding="utf-8") as sink:
        sink.write(json.dumps(words) + "\n")
