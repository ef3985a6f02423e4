"""What a key store does: four verbs, and no verb that hands out a key's bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec


class KeyStore(Protocol):
    """Keys live beside their certificate: ``folder/key`` is the sealed key itself, or says where in a token it is.

    So a folder that is moved or renamed takes its key along, and one rename publishes both.
    """

    def create(self, folder: Path) -> ec.EllipticCurvePrivateKey:
        """A new P-256 key for ``folder``, on disk (or in the token) before this returns."""

    def open(self, folder: Path) -> ec.EllipticCurvePrivateKey:
        """The key of ``folder``, able to sign. Raises PkiError: absent, wrong passphrase or PIN, damaged."""

    def destroy(self, folder: Path) -> None:
        """The key is gone afterwards; fine where it already was, for a kill may have come between."""
