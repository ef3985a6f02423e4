"""What ``frr-reload.py`` says: its ``--test`` output as diff lines, its complaints as errors.

``--test`` on a file it cannot read prints a diff that deletes everything, so its exit status is checked before
a single line is believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rollout.adapters.switches.session import Answer
from rollout.errors import StepFailed

_ERRORS = re.compile(
    r"^\s*%|Unknown command|BGP is already running|we failed to remove|frr-reload.py failed|Traceback|line \d+: ",
    re.MULTILINE,
)
_REMOVAL = re.compile(r"^no (ip|ipv6) prefix-list ")
_LOG = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ ")


def checked(answer: Answer, doing: str, switch: str) -> str:
    """The text of an answer that worked. Raises ``StepFailed`` with the switch's own words otherwise."""
    if answer.status == 0 and not _ERRORS.search(answer.text):
        return answer.text
    said = [line for line in answer.text.splitlines() if line.strip() and not _LOG.match(line)]
    raise StepFailed(
        f"{doing} failed with status {answer.status}: {' / '.join(said[-5:]) or 'no output'}",
        where=switch,
        hint=f"the switch keeps what it had; see /var/log/frr/frr-reload.log on {switch}",
    )


def diff_lines(text: str) -> tuple[str, ...]:
    """``+ context / line`` and ``- context / line``, in the order in which frr-reload would do them."""
    sign = ""
    lines: list[str] = []
    block: list[str] = []
    for raw in (*text.splitlines(), ""):
        line = raw.rstrip()
        if line in ("Lines To Delete", "Lines To Add") or not line or not line.startswith(" "):
            lines += _entry(sign, block)
            block = []
        if line.startswith("Lines To "):
            sign = "-" if line.endswith("Delete") else "+"
        elif sign and line and not line.startswith("===") and not _LOG.match(line):
            block.append(line.strip())
    return tuple(lines)


def _entry(sign: str, block: list[str]) -> Iterator[str]:
    words = [line for line in block if not line.startswith("exit")]
    if not words:
        return
    *context, line = words
    if _REMOVAL.match(line):
        # frr-reload lists the removal of a prefix-list entry among what it adds.
        sign = "-"
    yield f"{sign} {' / '.join((*context, line.removeprefix('no ') if sign == '-' else line))}"
