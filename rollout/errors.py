"""One root for every error a user can meet: each says what, where and what to do next.

Only ``rollout.cli`` catches these; the class carries the exit code so that a script can branch on it.
"""

from __future__ import annotations

from typing import ClassVar


class RackrollError(Exception):
    """Something a person must act on. ``hint`` is the next thing to do, in the imperative."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.where}: {self.message}" if self.where else self.message
        return f"{head}\n  next: {self.hint}" if self.hint else head


class SiteInvalid(RackrollError):
    """The site file is wrong; nothing was contacted."""


class PlanRefused(RackrollError):
    """A rule forbids the plan, or the plan no longer fits what is observed."""

    exit_code: ClassVar[int] = 3


class Unreachable(RackrollError):
    """A host, switch or API did not answer."""

    exit_code: ClassVar[int] = 4


class StepFailed(RackrollError):
    """A step tried to act and could not; what was already done is in the journal."""


class LockHeld(RackrollError):
    """Another run owns this site."""

    exit_code: ClassVar[int] = 3
