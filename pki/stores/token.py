"""Keys in a PKCS#11 token: made there, not extractable, found again by a name that lies beside the certificate.

The library is the optional extra ``hsm`` (python-pkcs11); it is imported when a token is first used.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pki.disk import KEY, sync_folder, write_new
from pki.errors import PkiError
from pki.passphrase import read_secret
from pki.stores.tokenkey import TokenKey

if TYPE_CHECKING:
    from pkcs11 import PrivateKey, Session

_REFERENCE = re.compile(r"pkcs11:token=([^;]+);object=([A-Za-z0-9-]{1,80});type=private\n?")


@dataclass(frozen=True, slots=True)
class TokenStore:
    """``module`` is the vendor's library, ``token`` the token's label, ``pin_file`` holds its user PIN."""

    module: Path
    token: str
    pin_file: Path

    def create(self, folder: Path) -> ec.EllipticCurvePrivateKey:
        """The name is on disk before the key is made: what a kill leaves in the token can be found and destroyed."""
        label = f"rackroll-{secrets.token_hex(12)}"
        write_new(folder / KEY, self._reference(label).encode("ascii"), private=True)
        with self._errors():
            _generate(self._session(), label)
        return self._opened(label)

    def open(self, folder: Path) -> ec.EllipticCurvePrivateKey:
        return self._opened(self._label(folder))

    def destroy(self, folder: Path) -> None:
        if not (folder / KEY).exists():
            return
        label = self._label(folder)
        with self._errors():
            from pkcs11 import Attribute

            for found in list(self._session().get_objects({Attribute.LABEL: label})):
                found.destroy()
        (folder / KEY).unlink()
        sync_folder(folder)

    def _opened(self, label: str) -> TokenKey:
        """Raises PkiError also for a key that could leave: it was not made here, and may be elsewhere as well."""
        with self._errors():
            private, public = _pair(self._session(), label)
            if private is None or public is None:
                hint = "is this the right token? otherwise restore it, or begin a new generation"
                raise PkiError(f"holds no key {label}", where=f"token {self.token}", hint=hint)
            if _can_leave(private):
                hint = "it may have been copied: begin a new generation"
                raise PkiError(f"the key {label} is extractable", where=f"token {self.token}", hint=hint)
        return TokenKey(public, self._signer(private), f"token {self.token}, {label}")

    def _signer(self, private: PrivateKey) -> Callable[[bytes], bytes]:
        from pkcs11 import Mechanism

        def sign(digest: bytes) -> bytes:
            with self._errors():
                return bytes(private.sign(digest, mechanism=Mechanism.ECDSA))  # type: ignore[attr-defined]

        return sign

    def _reference(self, label: str) -> str:
        """RFC 7512."""
        return f"pkcs11:token={quote(self.token, safe='')};object={label};type=private\n"

    def _label(self, folder: Path) -> str:
        file = folder / KEY
        try:
            found = _REFERENCE.fullmatch(file.read_text("ascii"))
        except (OSError, UnicodeDecodeError):
            found = None
        if found is None:
            hint = "were this home's keys in files before? then leave pkcs11 out of the site file"
            raise PkiError("does not say where in the token the key is", where=str(file), hint=hint)
        if unquote(found[1]) != self.token:
            hint = "correct keys.pkcs11.token in the site file"
            what = f"the key is in the token '{unquote(found[1])}', not in '{self.token}'"
            raise PkiError(what, where=str(file), hint=hint)
        return found[2]

    def _session(self) -> Session:
        return _session(self.module, self.token, self.pin_file)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Every word of the token becomes one of ours, with what to do."""
        _library()
        import pkcs11

        try:
            yield
        except pkcs11.PKCS11Error as error:
            what, hint = _WORDS.get(
                type(error).__name__, (f"{type(error).__name__} {error}".strip(), "see the token's own log")
            )
            raise PkiError(what, where=f"token {self.token}", hint=hint) from None


_WORDS = {
    "NoSuchToken": ("there is no such token", "correct keys.pkcs11 in the site file: module and token label"),
    "MultipleTokensReturned": ("several tokens have this label", "give each a label of its own"),
    "PinIncorrect": ("the PIN is wrong", "correct the PIN file; a token locks after a few wrong ones"),
    "PinLenRange": ("the PIN is wrong: its length cannot be right", "correct the PIN file"),
    "PinLocked": ("the token is locked after wrong PINs", "have its security officer unlock it"),
    "TokenWriteProtected": ("the token is write-protected", "unprotect it to mint a new root"),
    "DeviceMemory": ("the token is full", "retire old generations, or take another token"),
}


@cache
def _session(module: Path, token: str, pin_file: Path) -> Session:
    """One for the process: PKCS#11 logs an application in, not a session, and a second login is an error."""
    pin = read_secret(pin_file, "PIN")
    import pkcs11

    try:
        library = pkcs11.lib(str(module))
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        hint = "correct keys.pkcs11.module in the site file (SoftHSM: package softhsm2)"
        raise PkiError(f"cannot be loaded: {str(error)[:120]}", where=str(module), hint=hint) from None
    return library.get_token(token_label=token).open(rw=True, user_pin=pin)


def _library() -> None:
    try:
        import pkcs11  # noqa: F401
    except ImportError:
        hint = "install the extra: pip install 'rackroll[hsm]'"
        raise PkiError("tokens need the Python package python-pkcs11", hint=hint) from None


def _generate(session: Session, label: str) -> None:
    from pkcs11 import Attribute, KeyType
    from pkcs11.util.ec import encode_named_curve_parameters

    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
    parameters = session.create_domain_parameters(KeyType.EC, curve, local=True)
    secret = {Attribute.EXTRACTABLE: False, Attribute.SENSITIVE: True, Attribute.PRIVATE: True}
    parameters.generate_keypair(id=label.encode("ascii"), label=label, store=True, private_template=secret)


def _pair(session: Session, label: str) -> tuple[PrivateKey | None, ec.EllipticCurvePublicKey | None]:
    from pkcs11 import Attribute, ObjectClass
    from pkcs11.util.ec import encode_ec_public_key

    found: dict[Any, Any] = {
        each.object_class: each for each in session.get_objects({Attribute.LABEL: label})
    }
    public = found.get(ObjectClass.PUBLIC_KEY)
    if public is None:
        return None, None
    key = load_der_public_key(encode_ec_public_key(public))
    return found.get(ObjectClass.PRIVATE_KEY), key if isinstance(key, ec.EllipticCurvePublicKey) else None


def _can_leave(private: PrivateKey) -> bool:
    from pkcs11 import Attribute

    return bool(private[Attribute.EXTRACTABLE]) or not private[Attribute.SENSITIVE]
