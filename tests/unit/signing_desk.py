"""People who sign plans with the real ssh-keygen: a site's folder, their keys elsewhere, and a plan to sign."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from rollout.adapters.signatures import SshSigners, message
from rollout.engine.approvals import approval
from rollout.model.plan import Options, Plan, PlanKind, Signatures, Stage, Wave
from rollout.model.policy import Approval, Policy, Purpose
from rollout.model.proof import Proof
from rollout.model.site import Site
from rollout.model.step import Cordon, Effect, Step

ID = "ab" * 32
TWO = Policy(approvals=(Approval(Purpose.UPGRADE, 2),))


def keygen(*words: str) -> None:
    subprocess.run(["ssh-keygen", *words], check=True, capture_output=True, timeout=30)


@dataclass(frozen=True)
class Desk:
    """A site's folder, and the keys that people keep elsewhere."""

    site: Site
    keys: Path

    @property
    def signers(self) -> SshSigners:
        return SshSigners(self.site)

    def key(self, name: str, kind: str = "ed25519") -> Path:
        path = self.keys / name
        if not path.exists():
            keygen("-q", "-t", kind, "-N", "", "-C", name, "-f", str(path))
        return path

    def allow(self, principal: str, key: Path, options: str = "") -> None:
        words = key.with_name(f"{key.name}.pub").read_text().split()
        with self.signers.allowed.open("a") as file:
            file.write(f"{principal} {options} {words[0]} {words[1]}\n")

    def sign(self, principal: str, key: Path, id: str = ID) -> Path:
        return self.signers.sign(id, principal, key)

    def drop(self, principal: str, key: Path, namespace: str = "rackroll-plan", of: str = ID) -> None:
        """As somebody who signed by hand and copied the file here, with no one looking."""
        done = subprocess.run(
            ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", namespace],
            input=message(of),
            capture_output=True,
            check=True,
            timeout=30,
        )
        folder = self.signers.folder(ID)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{principal}.sig").write_bytes(done.stdout)

    def people(self) -> tuple[tuple[str, ...], ...]:
        return approval(self.signers, self.site.policy, plan()).people

    def rejected(self) -> str:
        return "; ".join(approval(self.signers, self.site.policy, plan()).rejected)


def plan(
    kind: PlanKind = PlanKind.UPGRADE, *effects: Effect, asks: tuple[Signatures, ...] = (), glass: str = ""
) -> Plan:
    steps = tuple(Step(f"s{n}", effect) for n, effect in enumerate(effects or (Cordon("r1n1"),)))
    wave = Wave("1", ("r1",), (Stage("s", steps),))
    proof = cast(Proof, None)  # nobody here reads it
    return Plan(
        ID, kind, "small", "", "", (), (wave,), proof, signatures=asks, options=Options(break_glass=glass)
    )
