"""One target per run (see :mod:`tests.contract.clusters`).

Each test gets a namespace of its own, and leaves nothing that is not in it (but for what it names itself).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Generator, Iterator

import pytest

from tests.contract import clusters, record
from tests.contract.target import Api, Target


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    record.prepare(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    record.keep(item, report)
    return report


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with clusters.target(os.environ, tmp_path_factory.mktemp("contract")) as target:
        record.write(version=Api(target).get("/version")["gitVersion"])
        yield target


@pytest.fixture(scope="session")
def api(target: Target) -> Api:
    return Api(target)


@pytest.fixture
def space(api: Api) -> Iterator[str]:
    """A fresh namespace, deleted afterwards."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    made = api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert made.code == 201, made
    yield name
    api.call("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def aged(target: Target) -> str:
    """A version that nobody remembers. A young API server knows all of its past, so it must have begun again."""
    if target.restart is not None:
        target.restart()
    return "1"
