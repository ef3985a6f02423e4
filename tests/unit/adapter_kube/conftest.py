"""The adapter on a scripted API server: what every test of this room begins with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.adapters.kube.cluster import KubeCluster
from rollout.cli.world import roles_of
from rollout.model.site import Site
from rollout.site.load import load_site
from tests.unit.kubeapi import FakeApi, fake_api

LAB = Path(__file__).resolve().parents[3] / "inventory" / "lab"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with fake_api() as api:
        yield api


@pytest.fixture
def site(api: FakeApi, tmp_path: Path) -> Site:
    return replace(load_site(LAB), kubernetes=api.kubernetes(tmp_path))


@pytest.fixture
def cluster(site: Site) -> KubeCluster:
    return KubeCluster(site, roles_of(site))
