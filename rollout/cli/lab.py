"""``rackroll lab``: the embedded lab as a user sees it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.lab_runs import write_off_run
from rollout.cli.options import inventory_option, output_option
from rollout.cli.output import emit, say
from rollout.errors import RackrollError

if TYPE_CHECKING:
    from lab.status import LabStatus, Part


vm_option = click.option(
    "--vm", is_flag=True, help="Virtual machines: own kernels, own clocks (needs vagrant, libvirt, qemu)."
)
optional_inventory = click.option(
    "-i",
    "--inventory",
    type=click.Path(path_type=Path),
    envvar="RACKROLL_INVENTORY",
    help="Site folder (or its site.yaml). Also RACKROLL_INVENTORY. With --vm it may be left out.",
)


@click.group()
def lab() -> None:
    """Build, inspect and remove the embedded lab of a site."""


@lab.command()
@optional_inventory
@click.option(
    "--real",
    is_flag=True,
    help="Upstream's Kubernetes and MetalLB in the place of the simulated ones (`make tools` builds them).",
)
@vm_option
def up(inventory: Path | None, real: bool, vm: bool) -> None:
    """Build the site's racks out of network namespaces (root, Linux). A second `up` only repairs.

    With --vm: nodes and ToRs of vagrant/topology.yaml as virtual machines, and their site file (-i: where to).
    """
    from lab.lifecycle import up as lab_up
    from rollout.site.load import load_site

    if vm:
        _vm_up(inventory, real)
        return
    started = time.monotonic()
    inventory = _named(inventory)
    lab_up(load_site(inventory), progress=say, real=real)
    say(f"lab up in {time.monotonic() - started:.1f} s; see what is real: rackroll lab status -i {inventory}")


@lab.command()
@optional_inventory
@vm_option
def down(inventory: Path | None, vm: bool) -> None:
    """Remove the lab, also a broken one; an unfinished run of it is ended with it, its journal stays."""
    from lab.lifecycle import down as lab_down
    from lab.vm.lifecycle import default_folder

    folder = default_folder() if vm and inventory is None else _folder(_named(inventory))
    if lab_down(folder):
        write_off_run(folder)
    say("lab down")


@lab.command()
@inventory_option
@output_option
def status(inventory: Path, output: str) -> None:
    """Say what is real, what is simulated, and whether it runs."""
    from dataclasses import asdict

    from lab.status import status as lab_status
    from lab.vm.status import status as vm_status

    folder = _folder(inventory)
    found = vm_status(folder) or lab_status(folder)
    emit({**asdict(found), "up": found.up}, output, lambda: _table(found))


def _named(inventory: Path | None) -> Path:
    if inventory is None:
        raise RackrollError(
            "no site is named", where="rackroll lab", hint="-i FOLDER, or --vm for the machines' own"
        )
    return inventory


def _vm_up(inventory: Path | None, real: bool) -> None:
    from lab.vm.lifecycle import default_folder
    from lab.vm.lifecycle import up as vm_up

    if real:
        hint = "use one: MetalLB's speaker needs a pod network that no machine has (docs/decisions/vagrant-lab.md)"
        raise RackrollError("--real and --vm do not go together", where="rackroll lab up", hint=hint)
    folder = default_folder() if inventory is None else _folder(inventory)
    state = vm_up(folder, progress=say)
    parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in state.seconds.items())
    kind = "on the processor" if state.native else "emulated: not hardware's timings"
    say(f"lab up ({kind}): {parts}; its site: -i {folder}")


def _table(found: LabStatus) -> str:
    if not found.parts:
        return "no lab here: rackroll lab up makes one"
    rows = [_row(part) for part in found.parts]
    state = "up" if found.up else "NOT complete"
    return "\n".join([f"lab {found.site} is {state}", *rows])


def _row(part: Part) -> str:
    count = f"{part.running}" if part.expected is None else f"{part.running}/{part.expected}"
    return f"  {part.truth.value:9}  {count:>7}  {part.name:24}  {part.detail}"


def _folder(inventory: Path) -> Path:
    """``down`` and ``status`` must work although the site file is broken, so only the folder is used."""
    return inventory.parent if inventory.is_file() else inventory
