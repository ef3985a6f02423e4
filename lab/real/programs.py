"""Which containers of a pod are upstream's real programs here, which have a stand-in, and which only look as if.

MetalLB's speaker pod: ``speaker`` is the real program, ``frr`` is the node's own FRR, ``reloader`` is ours
(lab/real/reloader.py, around FRR's frr-reload.py), ``frr-metrics`` does not run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.control.tools import FAMILIES, folder
from lab.kube.objects import Obj

_UPSTREAM: Mapping[str, tuple[str, str]] = {
    "metallb/controller": ("metallb", "controller"),
    "metallb/speaker": ("metallb", "speaker"),
}
"""End of an image's repository to the family and program that it is."""

RELOADER, FRR = "reloader", "frr"
SHARED_WITH_RELOADER = frozenset({"reloader"})


class NoProgram(Exception):
    """The image's program is not built in the version of its tag."""


@dataclass(frozen=True, slots=True)
class Start:
    """How one container begins. ``only`` are the volumes that are mounted (None: all that the pod says)."""

    container: Obj
    argv: tuple[str, ...]
    only: frozenset[str] | None = None
    first: bool = False


def is_real(pod: Obj) -> bool:
    """Whether any container of the pod is an upstream program that is run for real."""
    return any(_known(c) for c in pod["spec"]["containers"])


def speaks_bgp(pod: Obj) -> bool:
    return any(c["name"] == FRR for c in pod["spec"]["containers"])


def starts(pod: Obj) -> tuple[Start, ...]:
    """What to run, in order. Raises :class:`NoProgram`."""
    found = []
    for container in pod["spec"]["containers"]:
        if _known(container):
            arguments = (*(container.get("args") or ()),)
            found.append(Start(container, (str(_program(container)), *arguments)))
        elif container["name"] == RELOADER and speaks_bgp(pod):
            found.append(_reloader(container))
    return tuple(sorted(found, key=lambda start: not start.first))


def real(pod: Obj) -> frozenset[str]:
    """Containers that run for real; FRR does as the node's own, and the reloader is ours but reloads for real."""
    ours = {RELOADER, FRR} if speaks_bgp(pod) else set()
    return frozenset(c["name"] for c in pod["spec"]["containers"] if _known(c) or c["name"] in ours)


def _reloader(container: Obj) -> Start:
    mount = next(m["mountPath"] for m in container["volumeMounts"] if m["name"] in SHARED_WITH_RELOADER)
    argv = (sys.executable, "-m", "lab.real.reloader", mount)
    return Start(container, argv, SHARED_WITH_RELOADER, first=True)


def repository(container: Obj) -> str:
    """The container's image without tag and digest."""
    image = str(container.get("image", ""))
    named = image.rpartition("@")[0] or image
    return named.rpartition(":")[0] if ":" in named.rpartition("/")[2] else named


def _known(container: Obj) -> tuple[str, str] | None:
    path = repository(container)
    return next((found for end, found in _UPSTREAM.items() if path.endswith(end)), None)


def _program(container: Obj) -> Path:
    known = _known(container)
    assert known is not None
    family, program = known
    tag = str(container["image"]).rpartition(":")[2]
    path = folder(FAMILIES[family]) / tag / program
    if not os.access(path, os.X_OK):
        raise NoProgram(
            f"{container['image']}: {path} is not there; `make tools ARGS={family}` builds what is pinned"
        )
    return path
