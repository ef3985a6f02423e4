"""What every tier shares: a tool that is missing is said aloud, and never hides a hole in CI."""

from __future__ import annotations

import os
import shutil

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked ``kubectl`` need it on PATH: skipped with the reason, or in CI an error."""
    driven = [item for item in items if item.get_closest_marker("kubectl")]
    if not driven or shutil.which("kubectl"):
        return
    if os.environ.get("CI") == "true":
        raise pytest.UsageError(f"{len(driven)} tests are driven with kubectl, and there is none on PATH")
    for item in driven:
        item.add_marker(pytest.mark.skip(reason="no kubectl on PATH"))
