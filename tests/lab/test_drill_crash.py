"""A rotation under handshakes, killed in every phase: nothing fails, and no key is in what is left behind.

On the mesh whose drill is the shortest; RACKROLL_DRILL_MESH=istio, or consul, does the same there.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from lab.lifecycle import down
from tests.lab.drill_command import Drills
from tests.lab.key_search import Secrets, secrets_of
from tests.lab.rackroll_command import Site

pytestmark = pytest.mark.lab
MESH = os.environ.get("RACKROLL_DRILL_MESH", "linkerd")
PHASES = ["PREFLIGHT", "MINT", "TRUST", "SWITCH", "DRAIN", "UNTRUST"]
OF_THE_LAB = (
    ".lab/id_ed25519",
    ".lab/api/api.key",
    ".lab/hosts/*/boot/etc/ssh/lab_host_ed25519_key",
    "people/*",
)
"""Keys of the machines and people of the lab, of no mesh: a block may be there, for their owner only."""

OF_THE_MESH = ".lab/hosts/*/volumes/*"
"""What Consul's servers keep on their own volume: as upstream, the signing root's key is in it (docs/pki.md)."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a drill left: its site's folder with the lab still up, what it said, and what the commands say about it."""

    drills: Drills
    found: dict[str, Any]
    said: dict[str, bytes]
    secrets: Secrets

    @property
    def folder(self) -> Path:
        return self.drills.site

    def files(self) -> list[Path]:
        return sorted(
            path for path in self.drills.state.rglob("*") if path.is_file() and not path.is_symlink()
        )


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    drills = Drills(tmp_path_factory.mktemp("crash"))
    try:
        done = drills.rotate("--mesh", MESH, "--fault", "crash", "--no-naive", "--keep")
        assert done.returncode == 0, done.stderr
        said = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode(), **_told(Site(drills.site))}
        secrets = secrets_of(drills.site / ".lab" / "pki" / MESH, drills.site / ".lab" / "pki-passphrase")
        yield Left(drills, json.loads(done.stdout), said, secrets)
    finally:
        down(drills.site)


def _told(site: Site) -> dict[str, bytes]:
    """What shows a rotation to people and programs; the census makes a fresh key for its look."""
    looks = (
        ("report", "-o", "json"),
        ("report", "-o", "md"),
        ("status", "-o", "json"),
        ("pki", "show", "-o", "json"),
        ("pki", "census", "--mesh", MESH, "-o", "json"),
        ("plan", "rotate", "--mesh", MESH, "-o", "json"),
    )
    return {" ".join(words): site.run(*words).stdout.encode() for words in looks}


def test_killed_in_every_phase_it_is_finished_and_no_handshake_failed(left: Left) -> None:
    assert left.found["handshakes"]["tried"] > 1000
    assert left.found["handshakes"]["failed"] == 0
    assert left.found["error_window_ms"]["longest"] == 0
    assert left.found["old_root"]["live_leaves"] == 0
    assert [phase["name"] for phase in left.found["phases"]] == PHASES


def test_each_phase_that_has_a_step_was_killed_in(left: Left) -> None:
    (entry,) = left.drills.history()
    without = {phase["name"] for phase in entry["phases"] if not phase["seconds"]}
    assert set(entry["fault"]["killed_in"]) == set(PHASES) - without
    assert without == ({"TRUST"} if MESH == "consul" else set()), "Consul trusts and switches at once"


def test_what_json_promises_is_all_that_it_prints(left: Left) -> None:
    found = left.found
    assert list(found) == [
        "mesh",
        "handshakes",
        "error_window_ms",
        "naive",
        "phases",
        "seconds",
        "old_root",
    ]
    assert list(found["handshakes"]) == ["tried", "failed"]
    assert list(found["error_window_ms"]) == ["longest", "by_rack"]
    assert set(found["error_window_ms"]["by_rack"]) == {"r1", "r2"}
    assert found["naive"] is None


def test_no_key_is_in_a_plan_a_journal_a_log_or_a_report(left: Left) -> None:
    assert len(left.secrets.known) >= 5, "two roots, two issuers and the passphrase"
    files = left.files()
    names = {str(path.relative_to(left.folder)) for path in files if path.is_relative_to(left.folder)}
    assert {"rotate.json", ".rackroll/journal.sqlite", ".lab/logs/daemon.jsonl"} <= names
    found = [f"{what} in {path}" for path in files for what in _in_file(left, path)]
    found += [f"{what} in {name}" for name, text in left.said.items() for what in left.secrets.named(text)]
    assert found == []


def _in_file(left: Left, path: Path) -> list[str]:
    name = str(path.relative_to(left.folder)) if path.is_relative_to(left.folder) else str(path)
    if name == ".lab/pki-passphrase" or fnmatch(name, OF_THE_MESH):
        return _open_to_others(path)
    own = fnmatch(name, ".lab/pki/*/key") or any(fnmatch(name, pattern) for pattern in OF_THE_LAB)
    found = list(left.secrets.named(path.read_bytes(), sealed=own))
    return found + (_open_to_others(path) if own and path.suffix != ".pub" else [])


def _open_to_others(path: Path) -> list[str]:
    private = not path.stat().st_mode & 0o077 or not path.parent.stat().st_mode & 0o077
    return [] if private else ["a key that others can read"]


def _plain(left: Left) -> ec.EllipticCurvePrivateKey:
    sealed = left.folder / ".lab" / "pki" / MESH / "generation-2" / "anchor" / "key"
    passphrase = (left.folder / ".lab" / "pki-passphrase").read_bytes().strip()
    key = load_pem_private_key(sealed.read_bytes(), passphrase)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _pem(left: Left) -> bytes:
    return _plain(left).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def _der(left: Left) -> bytes:
    return _plain(left).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _in_a_journal(left: Left) -> bytes:
    """Raw pages of a database are searched, also what was deleted or is in its write-ahead log."""
    return b"SQLite format 3\0" + b"\0" * 99 + base64.b64encode(_der(left)) + b"\0" * 7


PLANTS: dict[str, Callable[[Left], bytes]] = {
    "a PEM": _pem,
    "a PEM in JSON": lambda left: json.dumps({"error": _pem(left).decode()}).encode(),
    "a PEM without its first line": lambda left: _pem(left).split(b"\n", 1)[1],
    "a Secret of the API": lambda left: b'{"tls.key":"' + base64.b64encode(_pem(left)) + b'"}',
    "DER": _der,
    "DER in base64, in a journal": _in_a_journal,
    "the scalar as hex": lambda left: f"{_plain(left).private_numbers().private_value:064x}".encode(),
    "the passphrase": lambda left: b"x " + (left.folder / ".lab" / "pki-passphrase").read_bytes(),
}


@pytest.mark.parametrize("name", PLANTS)
def test_negative_control_a_key_that_is_planted_is_found(left: Left, name: str) -> None:
    planted = left.folder / ".rackroll" / "planted"
    try:
        planted.write_bytes(PLANTS[name](left))
        assert planted in left.files()
        assert _in_file(left, planted) != []
    finally:
        planted.unlink()


def test_negative_control_a_sealed_key_that_is_no_longer_sealed_is_found(left: Left) -> None:
    file = left.folder / ".lab" / "pki" / MESH / "generation-2" / "issuer-1" / "key"
    sealed = file.read_bytes()
    try:
        file.write_bytes(_pem(left))
        assert _in_file(left, file) != []
    finally:
        file.write_bytes(sealed)
