"""The pyinfra side: one operation writes, applies and reads back, in three round trips."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Iterable

from pyinfra.api.deploy import deploy
from pyinfra.api.operation import operation
from pyinfra.context import host

from roles.kernel.facts import KernelFacts, KernelState
from roles.kernel.profile import (
    MODULES_FILE,
    SYSCTL_FILE,
    Drift,
    boot_order,
    checked,
    live_drift,
    modules,
    persisted_drift,
    render,
)
from rollout.model.site import KernelProfile


@deploy("kernel")
def kernel(profile: KernelProfile) -> None:
    sysctls(name="sysctls live and persisted", profile=checked(profile))


@operation()
def sysctls(profile: KernelProfile) -> Generator[str, None, None]:
    """Every key as wanted now and after a reboot; no change, and no command, where that is so already.

    Reads back after writing: ``sysctl -p`` succeeds on keys that clamp silently, and a later file may win at boot.
    """
    before = _state(profile)
    if not _drift(profile, before) and not _missing_modules(profile, before):
        return
    yield _apply_script(profile, before)
    left = _drift(profile, _state(profile))
    if left:
        # Failing on the host, by its own shell, is what lets the other hosts of this run go on.
        yield f"printf '%s\\n' {' '.join(shlex.quote(str(drift)) for drift in left)} >&2; exit 1"


def _state(profile: KernelProfile) -> KernelState:
    keys = tuple(key for key, _ in profile.sysctls)
    return host.get_fact(KernelFacts, keys=keys, modules=modules(profile)) or KernelState()


def _drift(profile: KernelProfile, state: KernelState) -> tuple[Drift, ...]:
    persisted = persisted_drift(profile, boot_order(state.files))
    return (*live_drift(profile, state.live), *_stray(profile, state), *persisted)


def _stray(profile: KernelProfile, state: KernelState) -> Iterable[Drift]:
    """Keys that our own file still sets although the site no longer names them."""
    wanted = {key for key, _ in profile.sysctls}
    ours = state.files.get(SYSCTL_FILE, {})
    return (Drift(key, "nothing", value, SYSCTL_FILE) for key, value in ours.items() if key not in wanted)


def _missing_modules(profile: KernelProfile, state: KernelState) -> tuple[str, ...]:
    return tuple(name for name in modules(profile) if name in state.loadable and name not in state.boots)


def _apply_script(profile: KernelProfile, state: KernelState) -> str:
    loadable = [name for name in modules(profile) if name in state.loadable]
    steps = ["set -e", "export PATH=$PATH:/sbin:/usr/sbin", _write(SYSCTL_FILE, render(profile))]
    if loadable:
        steps += [_write(MODULES_FILE, "\n".join((*loadable, ""))), f"modprobe -a {' '.join(loadable)}"]
    # A key that the kernel refuses is reported by the read-back, with the kernel's words beside it.
    return "\n".join((*steps, f"sysctl -q -p {SYSCTL_FILE} || true"))


def _write(path: str, text: str) -> str:
    """By rename: a crash never leaves half a file for the next boot."""
    return f"mkdir -p {path.rpartition('/')[0]}\nprintf %s {shlex.quote(text)} > {path}.new\nmv {path}.new {path}"
