"""One real cluster for the whole session: a thousand KWOK nodes cost a minute, so every test takes racks of its own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.scale.rights import grant, runner_rules
from tests.e2e.scale.stage import Stage, audited, pilot_agent
from tests.real.cluster import PATIENT, PATIENT_LEASE_SECONDS, real_cluster
from tests.real.fleet import ADMISSION, Fleet, Sized, fleet_of, populate, real_site
from tests.real.witness import Witness
from tests.real.world import PlayedHelm

BEFORE = "1.30.3"
SIZE = Sized(racks=40, nodes_per_rack=25)
RUNNER = "rackroll-runner"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.real)
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def hands() -> Iterator[ThreadPoolExecutor]:
    """One thread that outlives the cluster: a program started by another would end when that thread does."""
    with ThreadPoolExecutor(1) as hands:
        yield hands


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory, hands: ThreadPoolExecutor) -> Iterator[Fleet]:
    del hands
    folder = tmp_path_factory.mktemp("real")
    with pytest.MonkeyPatch.context() as patch:
        pilot_agent(folder / "bin", patch)
        flags = [*ADMISSION, *audited(folder, RUNNER)]
        with real_cluster(
            folder / "cluster",
            lease_seconds=PATIENT_LEASE_SECONDS,
            kube_apiserver=flags,
            kube_controller_manager=PATIENT,
        ) as cluster:
            fleet = fleet_of(cluster, real_site(folder / "site", SIZE, cluster.kubeconfig))
            populate(
                fleet, BEFORE, workers=len(fleet.site.nodes) - len(fleet.site.gateway_nodes), tenants=200
            )
            yield fleet


@pytest.fixture(scope="session")
def witness(fleet: Fleet) -> Iterator[Witness]:
    with Witness(fleet.cluster.plane) as witness:
        yield witness


@pytest.fixture(scope="session")
def stage(fleet: Fleet, witness: Witness) -> Stage:
    """The engine's user has the manifest's first role and nothing else."""
    kubeconfig = fleet.cluster.plane.user(RUNNER)
    grant(fleet.api, RUNNER, runner_rules())
    helm = PlayedHelm(fleet, {"metallb": "0.16.1", "istio": BEFORE, "kubernetes": "1.35.8"})
    return Stage(fleet, witness, helm, kubeconfig, fleet.cluster.plane.spec.folder.parent / "audit.log")
