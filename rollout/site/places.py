"""Paths in a site file: ``~`` and ``$VARS`` are the user's, relative ones belong to the file's own folder."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def unset_variables(text: str) -> tuple[str, ...]:
    """The ``$VARS`` that the environment does not have; left as they are they would become odd folder names."""
    names = (braced or plain for braced, plain in _VARIABLE.findall(text))
    return tuple(name for name in names if name not in os.environ)


def home_unknown(text: str) -> bool:
    return text.startswith("~") and os.path.expanduser(text).startswith("~")  # noqa: PTH111 - Path's raises


def resolved(text: str, folder: Path) -> Path:
    """Absolute, without ``..``; symbolic links stay as they are, so that messages show what was written."""
    return _under(os.path.expanduser(os.path.expandvars(text)), folder)  # noqa: PTH111


@lru_cache(maxsize=1024)
def _under(expanded: str, folder: Path) -> Path:
    """Remembered, for a site of 10,000 nodes names the same key file for each."""
    return Path(os.path.normpath(folder / expanded))
