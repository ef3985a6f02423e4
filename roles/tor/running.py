"""FRR's ``show running-config`` as a tree that can be written back unchanged.

FRR indents what belongs to a context by one space per level and closes contexts with ``exit`` (or
``exit-address-family``). Separators (``!``) and the trailing ``end`` carry no meaning and are regenerated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rollout.errors import StepFailed

_NOISE = ("Building configuration...", "Current configuration:", "end", "!")
_CLOSERS = ("exit", "exit-address-family", "exit-vrf", "exit-vni")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line (without indentation) and what is nested under it; ``closer`` is how FRR ends the context."""

    line: str
    body: tuple[Entry, ...] = ()
    closer: str = ""


def parse(text: str) -> tuple[Entry, ...]:
    """The running config as entries. Raises ``StepFailed`` for text that is no FRR configuration."""
    lines = [line.rstrip() for line in text.splitlines()]
    kept = [line for line in lines if line.strip() and line.strip() not in _NOISE]
    if not any(line.startswith("frr version") for line in kept):
        raise StepFailed(
            "the switch's answer to `show running-config` is not an FRR configuration",
            hint="log in and run `vtysh -c 'show running-config'`: it must start with `frr version`",
        )
    entries, rest = _level(kept, 0)
    if rest:
        raise StepFailed(
            f"unexpected line in the running config: {rest[0]!r}", hint="report this configuration"
        )
    return entries


def _level(lines: list[str], depth: int) -> tuple[tuple[Entry, ...], list[str]]:
    entries: list[Entry] = []
    while lines and _indent(lines[0]) >= depth:
        line, lines = lines[0].strip(), lines[1:]
        body: tuple[Entry, ...] = ()
        if lines and _indent(lines[0]) > depth and not _closes(lines[0], depth):
            body, lines = _level(lines, depth + 1)
        closer = ""
        if lines and _closes(lines[0], depth):
            closer, lines = lines[0].strip(), lines[1:]
        entries.append(Entry(line, body, closer))
    return tuple(entries), lines


def _closes(line: str, depth: int) -> bool:
    """A context at ``depth`` is closed by a word at its own depth; ``exit-address-family`` sits there too."""
    return line.strip() in _CLOSERS and _indent(line) == depth


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def render(entries: tuple[Entry, ...]) -> str:
    return "\n".join(_lines(entries, 0)) + "\n"


def _lines(entries: tuple[Entry, ...], depth: int) -> Iterator[str]:
    for entry in entries:
        yield " " * depth + entry.line
        yield from _lines(entry.body, depth + 1)
        if entry.closer:
            yield " " * depth + entry.closer
        if entry.closer and depth < 2:
            yield " " * depth + "!"
