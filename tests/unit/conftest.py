"""Fixtures that several of the journal's tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.engine.journalurl import journal_url
from tests.unit.kept_journal import Kept
from tests.unit.postgres import Cluster, running_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as found:
        yield found


@pytest.fixture
def shared(cluster: Cluster, tmp_path: Path) -> Kept:
    """A database of the test's own."""
    database = f"journal_{os.urandom(4).hex()}"
    cluster.sql(f"CREATE DATABASE {database}")
    return Kept(tmp_path, journal_url(cluster.url(database), {}))


@pytest.fixture(params=["sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    if request.param == "sqlite":
        return Kept(tmp_path, None)
    found: Kept = request.getfixturevalue("shared")
    return found
