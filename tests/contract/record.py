"""What a run of the suite leaves for the table: one JSON line per test, in the file RACKROLL_CONTRACT_RECORD names.

A difference that is meant is a test marked ``differs``: it is run all the same and has to fail, so that a reason in
the table is one that was seen to be true.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.contract import clusters

RECORD = "RACKROLL_CONTRACT_RECORD"
HERE = Path(__file__).parent


def prepare(items: Iterable[pytest.Item]) -> None:
    """Every test names its call; those meant to differ on this target are expected to fail."""
    name = clusters.chosen(os.environ)
    names = (name, "" if name == clusters.SIMULATED else "real")
    for item in items:
        if HERE not in item.path.parents:
            continue
        if item.get_closest_marker("call") is None:
            raise pytest.UsageError(
                f"{item.nodeid} does not say which call it is about: @pytest.mark.call(...)"
            )
        for mark in item.iter_markers("differs"):
            if mark.args[0] in names:
                item.add_marker(pytest.mark.xfail(strict=True, reason=mark.args[1]))


def keep(item: pytest.Item, report: pytest.TestReport) -> None:
    """Once per test: of its call, or of whatever else failed or was skipped."""
    if report.when != "call" and report.outcome == "passed":
        return
    mark = item.get_closest_marker("call")
    assert mark is not None
    write(call=mark.args[0], test=item.name, outcome=_outcome(report), why=_why(report))


def write(**row: Any) -> None:
    if os.environ.get(RECORD):
        with Path(os.environ[RECORD]).open("a") as file:
            file.write(json.dumps(row) + "\n")


def _outcome(report: pytest.TestReport) -> str:
    return "differs" if hasattr(report, "wasxfail") and report.skipped else report.outcome


def _why(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail).removeprefix("reason: ")
    if report.skipped and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return ""
