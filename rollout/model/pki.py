"""Where a mesh's own CA lives and who answers for it. Facts only: nothing here can open a key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pkcs11Token:
    """A token that holds root keys: the vendor's library, the token's label, the file with its user PIN."""

    module: Path
    token: str
    pin_file: Path


@dataclass(frozen=True, slots=True)
class MeshPki:
    """``owner`` is who is called when something runs out: an alert without one is nobody's.

    ``passphrase_file`` seals the keys in ``folder`` (None: the environment's RACKROLL_PKI_PASSPHRASE); with ``token``
    the roots' keys are in it and only the issuers' in the folder. Lifetimes of None are the mesh profile's own.
    ``corporate`` is a folder of PEM files, the company's CAs: none of them may become a mesh's root, nor the reverse.
    """

    owner: str
    folder: Path
    passphrase_file: Path | None = None
    token: Pkcs11Token | None = None
    anchor_lifetime: timedelta | None = None
    issuer_lifetime: timedelta | None = None
    leaf_lifetime: timedelta | None = None
    corporate: Path | None = None
