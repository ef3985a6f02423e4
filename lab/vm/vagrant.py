"""Vagrant beside the lab's libvirtd: its files go into ``.lab``; the user's own Vagrant is not touched."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from lab.process import ProcessRef
from lab.topology import OOB
from lab.vm.hypervisor import NETWORK, URI, inside
from lab.vm.machines import ROOT
from lab.vm.preflight import native
from lab.vm.seed import Shown
from rollout.errors import RackrollError

UP_WITHIN = timedelta(minutes=45)
"""Emulated and beside other work, six machines take ten minutes; on hardware one."""

_SHORT = timedelta(minutes=5)
_KEPT = ("PATH", "LANG", "LC_ALL")


@dataclass(frozen=True, slots=True)
class Reached:
    """Where Vagrant says that a machine's sshd is."""

    address: str
    port: int


def write_inputs(folder: Path, *, box: Path, key: Path, shown: Mapping[str, Sequence[Shown]]) -> None:
    """``vagrant.json``, which the Vagrantfile reads instead of guessing."""
    (folder / "consoles").mkdir(exist_ok=True)
    inputs = {
        "uri": URI,
        "network": NETWORK,
        "address": str(OOB),
        "box": str(box),
        "key": str(key),
        "seeds": str(folder / "seeds"),
        "consoles": str(folder / "consoles"),
        "shown": {name: {str(one.folder): str(one.inside) for one in each} for name, each in shown.items()},
    }
    (folder / "vagrant.json").write_text(json.dumps(inputs, indent=1))


def up(hypervisor: ProcessRef, folder: Path, progress: Callable[[str], None]) -> None:
    """Every machine, answering. Raises RackrollError with Vagrant's last words, and where the consoles are.

    Emulated machines start one after another: together they take as long, and starve each other into timeouts.
    """
    words = ("up", "--provider", "libvirt", "--parallel" if native() else "--no-parallel")
    _vagrant(hypervisor, folder, *words, within=UP_WITHIN, progress=progress)


def ssh_config(hypervisor: ProcessRef, folder: Path) -> Mapping[str, Reached]:
    return parse_ssh_config(_vagrant(hypervisor, folder, "ssh-config", within=_SHORT))


def parse_ssh_config(text: str) -> dict[str, Reached]:
    """By host name. Raises RackrollError for a host without address or port."""
    found: dict[str, dict[str, str]] = {}
    fields: dict[str, str] = {}
    for line in text.splitlines():
        word, _, value = line.strip().partition(" ")
        if word == "Host":
            fields = found.setdefault(value, {})
        elif word:
            fields[word] = value.strip('"')
    try:
        return {name: Reached(each["HostName"], int(each["Port"])) for name, each in found.items()}
    except (KeyError, ValueError) as error:
        raise RackrollError(f"`vagrant ssh-config` is not understood ({error!r})", where="lab") from None


def _vagrant(
    hypervisor: ProcessRef,
    folder: Path,
    *words: str,
    within: timedelta,
    progress: Callable[[str], None] = lambda _: None,
) -> str:
    argv = inside(hypervisor, ["vagrant", *words, "--no-color"])
    env = {name: value for name, value in os.environ.items() if name in _KEPT} | _own(folder)
    log = folder / "log" / f"vagrant-{words[0]}.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, env=env
        )
        try:
            _await(process, log, within, progress)
        finally:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise _failed(words[0], process.returncode, log)
    return log.read_text(errors="replace")


def _failed(word: str, code: int, log: Path) -> RackrollError:
    lines = log.read_text(errors="replace").splitlines()[-8:]
    said = " / ".join(line.strip() for line in lines if line.strip())
    hint = f"see {log} and the machines' consoles in {log.parent.parent / 'consoles'}"
    return RackrollError(f"`vagrant {word}` failed ({code}): {said}", where="lab", hint=hint)


def _await(
    process: subprocess.Popen[bytes], log: Path, within: timedelta, progress: Callable[[str], None]
) -> None:
    """Bounded; what Vagrant says about each machine's boot is passed on."""
    told, waited = 0, timedelta()
    while True:
        try:
            process.wait(1)
            return
        except subprocess.TimeoutExpired:
            waited += timedelta(seconds=1)
        said = [line for line in log.read_text(errors="replace").splitlines() if "booted and ready" in line]
        for line in said[told:]:
            progress(line.lstrip("=> "))
        told = len(said)
        if waited > within:
            minutes = within // timedelta(minutes=1)
            hint = f"see {log}; then `rackroll lab down --vm`"
            raise RackrollError(f"vagrant did not end within {minutes} minutes", where="lab", hint=hint)


def _own(folder: Path) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "RACKROLL_VM": str(folder),
        "VAGRANT_CWD": str(ROOT / "vagrant"),  # nsenter starts at /
        "VAGRANT_HOME": str(folder / "vagrant-home"),
        "VAGRANT_DOTFILE_PATH": str(folder / "vagrant-dot"),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
    }
