"""``rackroll lab``: the embedded lab as a user sees it."""

from __future__ import annotations

import time
from pathlib import Path

import click

from rollout.cli.options import inventory_option, output_option
from rollout.cli.output import emit, say


@click.group()
def lab() -> None:
    """Build, inspect and remove the embedded lab of a site."""


@lab.command()
@inventory_option
def up(inventory: Path) -> None:
    """Build the site's racks out of network namespaces (root, Linux). A second `up` only repairs."""
    from lab.lifecycle import up as lab_up
    from rollout.site.load import load_site

    started = time.monotonic()
    lab_up(load_site(inventory), progress=say)
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
    from lab.lifecycle import status as lab_status
    from lab.report import render_status, status_document

    found = lab_status(_folder(inventory))
    emit(status_document(found), output, lambda: render_status(found))


def _folder(inventory: Path) -> Path:
    """``down`` and ``status`` must work although the site file is broken, so only the folder is used."""
    return inventory.parent if inventory.is_file() else inventory
