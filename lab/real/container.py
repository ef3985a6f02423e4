"""``python -m lab.real.container <file>``: become one container's program inside a lab node.

The file (JSON) says which network namespace to enter, what to mount where, the environment and the arguments.
It runs with the mounts in a namespace of its own and replaces itself by the program. Standard library only: it is
started for every container.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_libc = ctypes.CDLL(None, use_errno=True)


def main(file: str) -> None:
    wanted = json.loads(Path(file).read_text())
    if wanted["netns"]:
        with Path(wanted["netns"]).open() as handle:
            _check(_libc.setns(handle.fileno(), _CLONE_NEWNET), wanted["netns"])
    _check(_libc.unshare(_CLONE_NEWNS), "unshare")
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "/")
    for source, target in wanted["mounts"]:
        Path(target).mkdir(parents=True, exist_ok=True)
        _check(_libc.mount(source.encode(), target.encode(), None, _MS_BIND, None), target)
    os.execve(wanted["argv"][0], wanted["argv"], wanted["env"])  # noqa: S606


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


if __name__ == "__main__":
    main(sys.argv[1])
