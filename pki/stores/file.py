"""Keys in files: PKCS#8, encrypted under a passphrase, readable by their owner only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from pki.disk import KEY, sync_folder, write_new
from pki.errors import PkiError
from pki.mint import new_key
from pki.passphrase import Sealing

_SEALED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class FileStore:
    """``passphrase`` seals and opens every key of one home."""

    passphrase: Sealing

    def create(self, folder: Path) -> ec.EllipticCurvePrivateKey:
        key = new_key()
        encryption = BestAvailableEncryption(self.passphrase.secret())
        write_new(
            folder / KEY, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), private=True
        )
        return key

    def open(self, folder: Path) -> ec.EllipticCurvePrivateKey:
        file = folder / KEY
        key = self._loaded(file, _content(file))
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise PkiError("is not a P-256 key", where=str(file), hint="restore the key that was minted")
        return key

    def _loaded(self, file: Path, sealed: bytes) -> object:
        """OpenSSL cannot tell a wrong passphrase from damage: both end in padding that does not fit."""
        try:
            return load_pem_private_key(sealed, self.passphrase.secret())
        except (ValueError, TypeError, UnsupportedAlgorithm):
            hint = (
                f"check {self.passphrase.source}; if the passphrase is right, restore the file from a backup"
            )
            raise PkiError(
                "cannot be opened: the passphrase is wrong, or the file is damaged",
                where=str(file),
                hint=hint,
            ) from None

    def destroy(self, folder: Path) -> None:
        """Unlinking is all that a journalling disk offers; what may survive there is sealed."""
        (folder / KEY).unlink(missing_ok=True)
        sync_folder(folder)


def _content(file: Path) -> bytes:
    try:
        mode = os.stat(file).st_mode  # noqa: PTH116 - one call, and its errors below
        sealed = file.read_bytes()
    except OSError as error:
        hint = "restore it from a backup, or begin a new generation"
        raise PkiError(f"no key: {error.strerror}", where=str(file), hint=hint) from None
    if mode & 0o077:
        what = f"can be read by others (mode {mode & 0o777:o})"
        raise PkiError(what, where=str(file), hint=f"chmod 600 {file}; if others did read it, rotate")
    if _SEALED not in sealed:
        hint = "a key lies sealed or not at all: if it ever was in the clear, rotate"
        raise PkiError("is not an encrypted PKCS#8 key", where=str(file), hint=hint)
    return sealed
