"""Is a secret in there? Private keys, PEM key blocks and a passphrase, in any spelling that a log or a journal may use.

A P-256 key is its scalar of 32 bytes, whatever wraps it: it is looked for as it is, as hex, and as the part of any
base64 text that it alone decides, at each of the three alignments. A Secret holds a key as base64 of PEM, which is
base64 again: so each line of the PEM is looked for the same way.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

MARK = b"PRIVATE KEY"
_LINE = 24
"""Characters; shorter lines of a PEM say too little to be looked for."""

_BREAKS = re.compile(rb"\\n|\s")


def encoded(blob: bytes) -> tuple[bytes, ...]:
    """What is in every base64 text of something that contains ``blob``."""
    found = []
    for before in range(3):
        padded = b"\0" * before + blob
        first = -(-before * 8 // 6)
        found.append(base64.b64encode(padded)[first : len(padded) * 8 // 6])
    return tuple(found)


def spellings(key: ec.EllipticCurvePrivateKey) -> frozenset[bytes]:
    scalar = key.private_numbers().private_value.to_bytes(32, "big")
    found = {scalar, scalar.hex().encode(), scalar.hex().upper().encode(), *encoded(scalar)}
    for form in (PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8):
        lines = key.private_bytes(Encoding.PEM, form, NoEncryption()).splitlines()[1:-1]
        found |= {each for line in lines if len(line) >= _LINE for each in encoded(line)}
        der = key.private_bytes(Encoding.DER, form, NoEncryption())
        found.add(base64.b64encode(der).rstrip(b"="))
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Secrets:
    """``marks`` are of any key; ``known`` are the spellings of what is secret here, by its name."""

    known: Mapping[str, frozenset[bytes]]
    marks: tuple[bytes, ...] = (MARK, *encoded(MARK))

    def named(self, data: bytes, *, sealed: bool = False) -> Iterator[str]:
        """What of it is in ``data``. ``sealed``: a key block may be there, a secret of ours may not."""
        joined = _BREAKS.sub(b"", data)
        if not sealed and any(mark in text for mark in self.marks for text in (data, joined)):
            yield "a PEM key block"
        for name, needles in self.known.items():
            if any(needle in text for needle in needles for text in (data, joined)):
                yield name


def secrets_of(home: Path, passphrase_file: Path) -> Secrets:
    """Every private key of a mesh's key store, roots and issuers, and what seals them."""
    passphrase = passphrase_file.read_bytes().strip()
    known = {"the passphrase": frozenset({passphrase, *encoded(passphrase)})}
    for file in sorted(home.glob("**/key")):
        key = load_pem_private_key(file.read_bytes(), passphrase)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        known[f"the key of {file.parent.relative_to(home)}"] = spellings(key)
    return Secrets(known)
