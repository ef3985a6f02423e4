"""Results on stdout: the same value as a table for people, or JSON or YAML for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import click


def emit(value: Any, output: str, table: Callable[[], str]) -> None:
    """Write ``value`` as asked; ``table`` is only called when a person is to read it."""
    if output == "json":
        click.echo(json.dumps(value, indent=2))
    elif output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(json.loads(json.dumps(value)), sort_keys=False), nl=False)
    else:
        click.echo(table())


def say(text: str) -> None:
    """One line of progress on stderr."""
    click.echo(text, err=True)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before acting; without a terminal and without ``--yes`` nothing is done (exit 1)."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("no terminal to ask on: review the plan and add --yes")
    click.confirm(question, abort=True, err=True)
