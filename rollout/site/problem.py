"""One thing that is wrong in a site file, and how all of them become one message."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from rollout.errors import SiteInvalid

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,80}")

FieldPath = tuple[str | int, ...]
"""Where a value sits: keys and list indexes from the top, as in ``("racks", 0, "tor", "asn")``."""


@dataclass(frozen=True, slots=True)
class Problem:
    """``what`` is wrong with ``field``; ``expected`` says what would be right, so that one edit is enough.

    ``other`` is the place that it clashes with; its line is shown too.
    """

    field: FieldPath
    what: str
    expected: str
    other: FieldPath | None = None


@dataclass(frozen=True, slots=True, order=True)
class Placed:
    """A problem with its line (from 1) and column (from 1), ready to be shown."""

    line: int
    column: int
    field: str
    what: str
    expected: str

    def shown(self, file: str) -> str:
        head = f"{file}:{self.line}: {self.field}: " if self.field else f"{file}:{self.line}: "
        return f"{head}{self.what}; expected {self.expected}"


def spelled(field: FieldPath) -> str:
    """``("racks", 0, "tor")`` as ``racks[0].tor``, the way people and jq write it."""
    text = ""
    for part in field:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _WORD.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part[:80])}]"
    return text


def invalid(file: str, problems: Iterable[Placed]) -> SiteInvalid:
    """Every problem in one error, in the order of the file: nobody likes to be corrected one line at a time."""
    lines = [problem.shown(file) for problem in sorted(set(problems))]
    many = f"correct these {len(lines)} places" if len(lines) > 1 else "correct this line"
    return SiteInvalid("\n".join(lines), hint=f"{many} and run the command again; nothing was contacted")
