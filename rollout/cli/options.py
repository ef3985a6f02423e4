"""Options that several commands share, so that they read and behave the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def inventory_option(command: F) -> F:
    """``-i``: the site's folder, or its site.yaml."""
    return click.option(
        "-i",
        "--inventory",
        type=click.Path(path_type=Path),
        required=True,
        envvar="RACKROLL_INVENTORY",
        help="Site folder (or its site.yaml). Also RACKROLL_INVENTORY.",
    )(command)


def output_option(command: F) -> F:
    """``-o``: results go to stdout in this form; progress always goes to stderr."""
    return click.option(
        "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True
    )(command)


def yes_option(command: F) -> F:
    return click.option("--yes", is_flag=True, help="Do not ask before acting.")(command)
