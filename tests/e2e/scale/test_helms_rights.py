"""Helm as our user: upstream's MetalLB chart goes in with both roles of the manifest, and not with the first alone."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab.control.tools import charts
from rollout.adapters.helm_program import helm_program
from rollout.adapters.kube.api import Refused
from tests.e2e.scale.rights import charts_rules, grant, runner_rules
from tests.e2e.scale.stage import Stage
from tests.real.fleet import eventually

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SPACE = "charts"

Helm = Callable[..., subprocess.CompletedProcess[str]]


def helm_as(kubeconfig: Path) -> Helm:
    def helm(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(helm_program()), f"--kubeconfig={kubeconfig}", f"--namespace={SPACE}", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    return helm


@pytest.fixture
def clean(stage: Stage) -> Iterator[None]:
    """Another test makes CRDs of the same names: none of the chart's may be left, not even one that is going."""
    yield

    def gone() -> bool:
        ours = [c["metadata"] for c in stage.fleet.items(CRDS) if c["spec"]["group"] == "metallb.io"]
        for meta in ours:
            with suppress(Refused):
                stage.fleet.api.request("DELETE", f"{CRDS}/{meta['name']}")
        return not ours

    eventually(gone, "no CRD of MetalLB's")


def test_upstreams_chart_is_installed_upgraded_and_removed_with_both_roles(stage: Stage, clean: None) -> None:
    del clean
    plane, chart = stage.fleet.cluster.plane, str(charts("metallb") / "metallb")
    values = ("--set", "frr-k8s.enabled=false,speaker.frr.enabled=false,frrk8s.enabled=false")
    alone = plane.user("charts-runner")
    grant(stage.fleet.api, "charts-runner", runner_rules())
    refused = helm_as(alone)("install", "metallb", chart, "--create-namespace", *values)
    assert refused.returncode != 0
    assert "forbidden" in refused.stderr
    both = plane.user("charts-both")
    grant(stage.fleet.api, "charts-both", [*runner_rules(), *charts_rules()])
    helm = helm_as(both)
    for words in (
        ("install", "metallb", chart, "--create-namespace", *values),
        ("upgrade", "metallb", chart, *values, "--set", "speaker.logLevel=debug"),
        ("list",),
        ("uninstall", "metallb"),
    ):
        done = helm(*words)
        assert done.returncode == 0, done.stderr
