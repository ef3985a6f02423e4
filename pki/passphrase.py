"""The passphrase that seals keys: from a file or the environment, never from argv, never shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pki.errors import PkiError

VARIABLE = "RACKROLL_PKI_PASSPHRASE"
SHORTEST = 12
"""Characters. PKCS#8 stretches a passphrase a little (PBKDF2), a short word stays guessable."""
LONGEST = 1023
"""Bytes: OpenSSL takes no longer one."""


@dataclass(frozen=True, slots=True, repr=False)
class Passphrase:
    """``source`` is what an error may name: the file's path or the variable."""

    source: str
    _secret: bytes

    def secret(self) -> bytes:
        return self._secret

    def __repr__(self) -> str:
        return f"Passphrase(from {self.source})"


class Sealing(Protocol):
    """What seals and opens keys: a passphrase that is there, or one that is read when it is needed."""

    @property
    def source(self) -> str: ...

    def secret(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class LatePassphrase:
    """Read on first use, so that whoever only looks at certificates needs none."""

    file: Path | None

    @property
    def source(self) -> str:
        return str(self.file) if self.file and not os.environ.get(VARIABLE) else f"the variable {VARIABLE}"

    def secret(self) -> bytes:
        return read_passphrase(self.file).secret()


def read_passphrase(file: Path | None, environ: Mapping[str, str] = os.environ) -> Passphrase:
    """The variable RACKROLL_PKI_PASSPHRASE where it is set, else the first line of ``file``.

    Raises PkiError where neither is given, the file is not private to its owner, or the passphrase is too short.
    """
    if environ.get(VARIABLE):
        return _checked(environ[VARIABLE], f"the variable {VARIABLE}")
    if file is None:
        hint = f"set keys.passphraseFile in the site file, or {VARIABLE} in the environment"
        raise PkiError("there is no passphrase for the keys", hint=hint)
    return _checked(read_secret(file, "passphrase"), str(file))


def read_secret(file: Path, what: str) -> str:
    """The one line of a private file, without its newline. Raises PkiError: absent, open to others, not one line."""
    try:
        mode = file.stat().st_mode
        lines = file.read_text("utf-8").splitlines()
    except OSError as error:
        hint = f"write the {what} there (mode 600): head -c 24 /dev/urandom | base64"
        raise PkiError(f"no {what}: {error.strerror}", where=str(file), hint=hint) from None
    except UnicodeDecodeError:
        raise PkiError("is not text", where=str(file), hint=f"one line with the {what}") from None
    if mode & 0o077:
        raise PkiError("can be read by others", where=str(file), hint=f"chmod 600 {file}")
    if len(lines) != 1 or not lines[0]:
        raise PkiError(f"has {len(lines)} lines", where=str(file), hint=f"one line with the {what}")
    return lines[0]


def _checked(text: str, source: str) -> Passphrase:
    secret = text.encode("utf-8", "surrogateescape")
    if len(text) < SHORTEST or len(secret) > LONGEST:
        what = f"the passphrase has {len(text)} characters"
        raise PkiError(what, where=source, hint=f"{SHORTEST} or more, at most {LONGEST} bytes")
    return Passphrase(source, secret)
