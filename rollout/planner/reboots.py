"""Which commands obviously reboot a node. They return before it is down, so the old boot's Ready would be believed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

_SYSTEMCTL = frozenset({"reboot", "kexec", "soft-reboot"})
_SUDO_TAKES = frozenset({"-C", "-D", "-g", "-h", "-p", "-R", "-r", "-T", "-t", "-U", "-u"})
"""Options of sudo that are followed by a word of their own."""


def reboots(argv: Sequence[str]) -> bool:
    """Only what can be read off the words: what a shell's script or a program of the site's own does is not guessed."""
    words = _without_sudo(tuple(argv))
    if not words:
        return False
    name, rest = PurePosixPath(words[0]).name, words[1:]
    match name:
        case "reboot":
            return True
        case "systemctl":
            return next((word for word in rest if not word.startswith("-")), "") in _SYSTEMCTL
        case "shutdown":
            return any(_asks_to_reboot(word) for word in rest)
        case "init" | "telinit":
            return "6" in rest
        case _:
            return False


def _without_sudo(words: tuple[str, ...]) -> tuple[str, ...]:
    while words and PurePosixPath(words[0]).name == "sudo":
        words = words[1:]
        while words and (words[0].startswith("-") or _is_assignment(words[0])):
            words = words[2 if words[0] in _SUDO_TAKES else 1 :]
    return words


def _is_assignment(word: str) -> bool:
    return word.partition("=")[0].isidentifier() and "=" in word


def _asks_to_reboot(word: str) -> bool:
    short = word.startswith("-") and not word.startswith("--")
    return word == "--reboot" or (short and "r" in word)
