"""A home on disk, and how it stays whole when a process is killed while it writes.

    generation-2/anchor/certificate.pem     0644
    generation-2/anchor/key                 0600, sealed, or where in the token it is
    generation-2/issuer-1/certificate.pem, key
    retired/generation-1/...                certificates only

What is being made has a name that starts with ``.making-`` and becomes visible by one rename. What a killed process
left under such a name was never trusted by anybody: the next one destroys it, its keys first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from pki.bundle import read_pem, to_pem
from pki.disk import CERTIFICATE, make_folder, publish, remove, write_new
from pki.errors import PkiError
from pki.material import Generation, IssuerCert

ANCHOR = "anchor"
RETIRED = "retired"
MAKING = ".making-"
_GENERATION = re.compile(r"generation-([1-9][0-9]{0,5})")
_ISSUER = re.compile(r"issuer-([1-9][0-9]{0,5})")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in one home's ``folder``."""

    folder: Path

    def generation(self, number: int) -> Path:
        return self.folder / f"generation-{number}"

    def anchor(self, number: int) -> Path:
        return self.generation(number) / ANCHOR

    def issuer(self, generation: int, number: int) -> Path:
        return self.generation(generation) / f"issuer-{number}"

    def retired(self, number: int) -> Path:
        return self.folder / RETIRED / f"generation-{number}"

    def read(self) -> tuple[Generation, ...]:
        """Every generation that is not retired, oldest first. Raises PkiError for what cannot be read."""
        return tuple(self._generation(number, path) for number, path in _numbered(self.folder, _GENERATION))

    def highest(self) -> int:
        """The highest number that was ever given, retired ones too: a subject is never used twice."""
        numbers = [n for n, _ in _numbered(self.folder, _GENERATION)]
        numbers += [n for n, _ in _numbered(self.folder / RETIRED, _GENERATION)]
        return max(numbers, default=0)

    def _generation(self, number: int, path: Path) -> Generation:
        issuers = tuple(
            IssuerCert(n, read_certificate(issuer / CERTIFICATE)) for n, issuer in _numbered(path, _ISSUER)
        )
        return Generation(number, read_certificate(path / ANCHOR / CERTIFICATE), issuers)

    def unfinished(self) -> Iterator[Path]:
        """What killed processes left: generations in the home, issuers in their generation."""
        for folder in (self.folder, *(path for _, path in _numbered(self.folder, _GENERATION))):
            yield from sorted(folder.glob(f"{MAKING}*"))


def make(final: Path, fill: Callable[[Path], None]) -> None:
    """``final`` appears whole or not at all: ``fill`` writes into a folder beside it that is renamed at the end."""
    staged = final.parent / f"{MAKING}{final.name}"
    remove(staged)
    make_folder(staged)
    fill(staged)
    publish(staged, final)


def write_certificate(folder: Path, certificate: x509.Certificate) -> None:
    write_new(folder / CERTIFICATE, to_pem([certificate]).encode("ascii"), private=False)


def read_certificate(file: Path) -> x509.Certificate:
    """The one certificate of a file. Raises PkiError."""
    try:
        content = file.read_bytes()
    except OSError as error:
        hint = "restore the folder from a backup"
        raise PkiError(f"cannot be read: {error.strerror}", where=str(file), hint=hint) from None
    found = read_pem(content, str(file))
    if len(found) != 1:
        hint = "restore the folder from a backup"
        raise PkiError(f"holds {len(found)} certificates, not one", where=str(file), hint=hint)
    return found[0]


def _numbered(folder: Path, form: re.Pattern[str]) -> list[tuple[int, Path]]:
    try:
        names = [path for path in folder.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        hint = "run it as the user whose folder it is"
        raise PkiError(f"cannot be read: {error.strerror}", where=str(folder), hint=hint) from None
    matched = ((form.fullmatch(path.name), path) for path in names)
    return sorted((int(match[1]), path) for match, path in matched if match)
