"""A private key that stays in its token: it signs, and everything that would show it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from pki.errors import PkiError

Buffer = bytes | bytearray | memoryview
Signer = Callable[[bytes], bytes]
"""Digest -> r and s, concatenated, as PKCS#11's CKM_ECDSA answers."""


class TokenKey(ec.EllipticCurvePrivateKey):
    """What ``CertificateBuilder.sign`` needs of a key, and no more."""

    def __init__(self, public: ec.EllipticCurvePublicKey, signer: Signer, name: str) -> None:
        self._public = public
        self._signer = signer
        self._name = name

    def sign(self, data: Buffer, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """ECDSA over the digest of ``data``, in DER. Raises PkiError for another algorithm."""
        algorithm = signature_algorithm.algorithm
        if not isinstance(signature_algorithm, ec.ECDSA) or isinstance(algorithm, Prehashed):
            raise PkiError("this key signs with ECDSA over whole messages only", where=self._name)
        digest = hashes.Hash(algorithm)
        digest.update(data)
        raw = self._signer(digest.finalize())
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def private_bytes(
        self,
        encoding: serialization.Encoding,
        format: serialization.PrivateFormat,
        encryption_algorithm: serialization.KeySerializationEncryption,
    ) -> bytes:
        del encoding, format, encryption_algorithm
        self._stays()

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        self._stays()

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        del algorithm, peer_public_key
        self._stays()

    def __copy__(self) -> TokenKey:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> TokenKey:
        del memo
        return self

    def __repr__(self) -> str:
        return f"TokenKey({self._name})"

    def _stays(self) -> NoReturn:
        raise PkiError(
            "a key in a token signs and does not leave it",
            where=self._name,
            hint="hand over an issuer instead",
        )
