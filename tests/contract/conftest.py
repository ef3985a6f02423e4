"""One target per run: ``RACKROLL_CONTRACT_KUBECONFIG`` names a real cluster, else the simulated API is started.

Each test gets a namespace of its own, and leaves nothing that is not in it (but for what it names itself).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.target import Api, Target, simulated


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    given = os.environ.get("RACKROLL_CONTRACT_KUBECONFIG")
    if given:
        yield Target(Path(given), simulated=False)
        return
    with simulated(tmp_path_factory.mktemp("contract")) as target:
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
