"""Why a certificate is refused, as stable words: scripts and tests match on them, people read the sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509

from pki.fingerprint import named


class Reason(StrEnum):
    """A word is never reused for something else."""

    JUNK = "junk"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    NOT_V3 = "not-v3"
    NOT_A_CA = "not-a-ca"
    NOT_SELF_SIGNED = "not-self-signed"
    WRONG_PATHLEN = "wrong-pathlen"
    WRONG_KEY_USAGE = "wrong-key-usage"
    WRONG_ALGORITHM = "wrong-algorithm"
    WRONG_IDENTITY = "wrong-identity"
    EKU_ON_CA = "eku-on-ca"
    MISSING_EKU = "missing-eku"
    NAME_CONSTRAINTS = "name-constraints"
    UNKNOWN_CRITICAL = "unknown-critical"
    MISSING_SKI = "missing-ski"
    MISSING_AKI = "missing-aki"
    SAME_SUBJECT = "same-subject"
    KEY_MISMATCH = "key-mismatch"
    DOES_NOT_CHAIN = "does-not-chain"
    OUTLIVES_ANCHOR = "outlives-anchor"
    OUTLIVES_ISSUER = "outlives-issuer"
    PUBLIC_CA = "public-ca"
    CORPORATE_CA = "corporate-ca"
    MESH_CA = "mesh-ca"


@dataclass(frozen=True, slots=True)
class Refusal:
    """``about`` names the certificate (or the file, for junk); ``what`` is wrong with it."""

    reason: Reason
    about: str
    what: str

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.about}: {self.what}"


def refused(reason: Reason, cert: x509.Certificate, what: str) -> Refusal:
    return Refusal(reason, named(cert), what)
