"""``rackroll lab``: the embedded lab as a user sees it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.options import inventory_option, output_option
from rollout.cli.output import emit, say

if TYPE_CHECKING:
    from lab.status import LabStatus, Part


@click.group()
def lab() -> None:
    """Build, inspect and remove the embedded lab of a site."""


@lab.command()
@inventory_option
@click.option(
    "--real",
    is_flag=True,
    help="Upstream's Kubernetes and MetalLB in the place of the simulated ones (`make tools` builds them).",
)
def up(inventory: Path, real: bool) -> None:
    """Build the site's racks out of network namespaces (root, Linux). A second `up` only repairs."""
    from lab.lifecycle import up as lab_up
    from rollout.site.load import load_site

    started = time.monotonic()
    lab_up(load_site(inventory), progress=say, real=real)
    say(f"lab up in {time.monotonic() - started:.1f} s; see what is real: rackroll lab status -i {inventory}")


@lab.command()
@inventory_option
def down(inventory: Path) -> None:
    """Remove the lab, also a broken one; nothing of it is left behind."""
    from lab.lifecycle import down as lab_down

    lab_down(_folder(inventory))
    say("lab down")


@lab.command()
@inventory_option
@output_option
def status(inventory: Path, output: str) -> None:
    """Say what is real, what is simulated, and whether it runs."""
    from dataclasses import asdict

    from lab.status import status as lab_status

    found = lab_status(_folder(inventory))
    emit({**asdict(found), "up": found.up}, output, lambda: _table(found))


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
