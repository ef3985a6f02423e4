"""``rackroll demo --real``, whole: upstream's Kubernetes, MetalLB's own speakers, and not one request lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.test_demo import demo

pytestmark = [pytest.mark.real, pytest.mark.lab]


@pytest.mark.timeout(900)
def test_the_demo_on_a_real_kubernetes_loses_nothing_where_the_naive_way_does(tmp_path: Path) -> None:
    found, progress = demo(tmp_path, "--real", within=800)
    assert "starting a real control plane" in progress
    assert (found["requests"]["lost"], found["requests"]["keepalive_lost"]) == (0, 0)
    assert found["requests"]["sent"] >= 100 * found["seconds"]["upgrade"]
    assert found["gateways"] == {"total": 4, "min_in_rib": 3}
    assert found["naive"]["lost"] > 0
    assert not (tmp_path / "rackroll" / "demo").exists()
