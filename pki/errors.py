"""The one error of this package. It mirrors ``RackrollError`` without importing it: pki stands alone."""

from __future__ import annotations

from typing import ClassVar


class PkiError(ValueError):
    """A certificate, a key or a store that cannot be used as asked. ``hint`` is the next thing to do.

    The command line shows it like every other error of rackroll (exit code 1); no key material is ever in it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.where}: {self.message}" if self.where else self.message
        return f"{head}\n  next: {self.hint}" if self.hint else head
