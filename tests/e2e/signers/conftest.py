"""One control plane for the signers that live beside one; no node is needed, for nothing of theirs runs in a pod."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.control.flags import PlaneSpec
from lab.control.plane import ControlPlane, running
from lab.signers import objects
from rollout.adapters.kube.api import KubeApi, connect
from rollout.model.site import Kubernetes
from tests.e2e.signers.stage import WORKLOADS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    left_out = os.environ.get("RACKROLL_LEFT_OUT", "").split()
    for item in items:
        if here not in item.path.parents:
            continue
        item.add_marker(pytest.mark.real)
        if "istio" in item.path.name and "istiod-1.31" in left_out:
            item.add_marker(pytest.mark.skip(reason="RACKROLL_LEFT_OUT: istiod was not built in this run"))


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with running(PlaneSpec(tmp_path_factory.mktemp("plane"))) as plane:
        yield plane


@pytest.fixture(scope="session")
def api(plane: ControlPlane) -> KubeApi:
    """With the accounts that the workloads' tokens are of."""
    made = connect(Kubernetes(plane.kubeconfig, None, "1.35"))
    for workload in WORKLOADS:
        objects.make_account(made, workload)
    return made
