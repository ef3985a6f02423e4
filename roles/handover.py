"""What a role says about trust that is handed over as Kubernetes objects. Pure: objects in, certificates out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cryptography import x509

from pki.bundle import read_pem
from pki.errors import PkiError
from pki.material import IssuerMaterial
from rollout.model.role import Json

Found = Mapping[str, Json | None]
"""API path to the object there, None where there is none."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the mesh's objects say: the bundle, in its order, and the certificate that signs (None: none is there)."""

    bundle: tuple[x509.Certificate, ...] = ()
    issuer: x509.Certificate | None = None


@dataclass(frozen=True, slots=True)
class PublishedCopy:
    """A bundle that some verifier reads: where it is and what is in it."""

    where: str
    bundle: tuple[x509.Certificate, ...]


class ObjectTrust(Protocol):
    """One mesh's trust as objects. ``reads`` are API paths that ``told`` looks at; ``copies_at`` are paths that hold
    further copies of the bundle, lists or single objects."""

    @property
    def reads(self) -> tuple[str, ...]: ...

    @property
    def copies_at(self) -> tuple[str, ...]: ...

    def told(self, found: Found) -> Told:
        """Raises PkiError for content that no verifier would read alike."""
        ...

    def copies(self, found: Found) -> tuple[PublishedCopy, ...]: ...

    def objects(
        self, bundle: Iterable[x509.Certificate], issuer: x509.Certificate, material: IssuerMaterial
    ) -> tuple[Json, ...]:
        """Everything as it shall be, in the order in which it is applied. Holds the issuer's key: never shown."""
        ...


@runtime_checkable
class TrustedRole(Protocol):
    """A role whose mesh takes its trust as objects."""

    def object_trust(self) -> ObjectTrust: ...


def decoded(secret: Json | None, key: str) -> str:
    """One entry of a Secret as text; empty where it is not there. Raises PkiError for what is not base64 of text."""
    raw = ((secret or {}).get("data") or {}).get(key) or ""
    try:
        return base64.b64decode(raw, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise PkiError(
            f"its entry is not base64 of PEM: {error}", where=key, hint="put the Secret right by hand"
        ) from None


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode("ascii")


def certificates(text: str, where: str) -> tuple[x509.Certificate, ...]:
    """None for an empty text; raises PkiError for anything but certificates."""
    return read_pem(text, where) if text.strip() else ()
