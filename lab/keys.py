"""ssh keys of one lab: made by ``up``, gone with ``down``. Strict host keys from the first connection on."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from lab.topology import Forward


@dataclass(frozen=True, slots=True)
class KeyPair:
    """OpenSSH's own text formats."""

    private: str
    public: str


def generate() -> KeyPair:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return KeyPair(private, f"{public}\n")


def known_hosts(entries: Iterable[tuple[Forward, KeyPair]]) -> str:
    """OpenSSH looks an address on port 22 up plainly and any other as ``[address]:port``."""
    return "".join(f"{_name(forward)} {pair.public}" for forward, pair in entries)


def _name(forward: Forward) -> str:
    return str(forward.address) if forward.port == 22 else f"[{forward.address}]:{forward.port}"


def passphrase() -> str:
    """One line that seals the lab's mesh keys."""
    return f"{secrets.token_urlsafe(24)}\n"


def write_private(path: Path, text: str) -> None:
    """ssh refuses a key that others may read."""
    path.touch(mode=0o600)
    path.write_text(text)
