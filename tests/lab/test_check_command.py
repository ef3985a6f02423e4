"""``rackroll check`` against a whole lab: real chronyd and conntrack, real FRR; each fault closes its own check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab.sitecopy import copy_site
from rollout.adapters.kube.cluster import KubeCluster
from rollout.checks.catalogue import catalogue
from rollout.site.load import load_site
from tests.lab.rack import shell
from tests.lab.rackroll_command import ROOT, Site

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("check")
    site = Site(copy_site(ROOT / "inventory" / "lab", folder / "site", name="check", loopback="127.85."))
    try:
        site.run("lab", "up")
        site.serve_echo()
        site.run("plan", "bringup", "--out", str(folder / "bringup.json"))
        site.run("apply", str(folder / "bringup.json"), "--yes")
        yield site
    finally:
        site.run("lab", "down")


def on(site: Site, node: str, script: str) -> str:
    return shell(load_site(site.folder).node(node).ssh, script)


def found(site: Site, *words: str, expect: int = 0) -> dict[str, dict[str, str]]:
    document = json.loads(site.run("check", *words, "-o", "json", expect=expect).stdout)
    return {finding["check"]: finding for finding in document["findings"]}


def not_open(findings: dict[str, dict[str, str]]) -> dict[str, str]:
    return {id: each["verdict"] for id, each in findings.items() if each["verdict"] != "open"}


def test_on_a_site_that_was_just_brought_up_every_check_is_open(serving: Site) -> None:
    seen = found(serving)
    assert not_open(seen) == {}
    assert set(catalogue()) - set(seen) == {"GW-ROUTE-GONE", "PKI-CLOCK"}, (
        "asked of one node that left; of a rotation"
    )


def test_any_gateway_node_of_it_may_move(serving: Site) -> None:
    """Also one with an istiod: its autoscaler keeps two, so its budget can let one go."""
    for node in load_site(serving.folder).gateway_nodes:
        seen = found(serving, "--node", node.name)
        assert not_open(seen) == {}
        assert node.name in seen["CLOCK-OFFSET"]["detail"]


def test_a_chronyd_that_is_stopped_is_inconclusive_and_only_that(serving: Site) -> None:
    on(serving, "r1n2", "/etc/init.d/chrony stop")
    try:
        seen = found(serving, "CLOCK-OFFSET", "CONNTRACK-ROOM", "GW-N1-NOW", "VIP-ANSWERS", expect=4)
    finally:
        on(serving, "r1n2", "/etc/init.d/chrony start; chronyc waitsync 30 0 0 0.5")
    assert not_open(seen) == {"CLOCK-OFFSET": "inconclusive"}
    assert seen["CLOCK-OFFSET"]["detail"].startswith("r1n2: chronyd does not answer")
    assert not_open(found(serving, "CLOCK-OFFSET")) == {}


def test_a_full_connection_table_closes_and_is_named(serving: Site) -> None:
    """The lab's nf_conntrack_max is simulated: a file of the host's own over the kernel's key."""
    key = "net.netfilter.nf_conntrack_max"
    before = on(serving, "r2n1", f"sysctl -n {key}").strip()
    on(serving, "r2n1", f"sysctl -w {key}=1")
    try:
        seen = found(serving, "CONNTRACK-ROOM", "--node", "r2n1", expect=2)
    finally:
        on(serving, "r2n1", f"sysctl -w {key}={before}")
    assert seen["CONNTRACK-ROOM"]["detail"].startswith("r2n1: ")


def apply(site: Site, *objects: dict[str, Any]) -> None:
    KubeCluster(load_site(site.folder)).apply(objects)


def test_a_budget_that_lets_nobody_go_closes_the_drain_of_its_pods_nodes(serving: Site) -> None:
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "echo", "namespace": "shop"},
    }
    selector = {"matchLabels": {"app": "echo"}}
    apply(serving, {**budget, "spec": {"minAvailable": "100%", "selector": selector}})
    try:
        seen = found(serving, "PDB-ALLOWS", expect=2)
    finally:
        apply(serving, {**budget, "spec": {"minAvailable": 2, "selector": selector}})
    assert "the budget shop/echo can never allow it (4 of 4 must be healthy)" in seen["PDB-ALLOWS"]["detail"]


def test_a_workload_that_slipped_past_the_injector_is_drift_and_one_that_declined_is_not(
    serving: Site,
) -> None:
    """A pod that is made while its namespace asks for no injection, as during an outage of the webhook."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "bare", "namespace": "shop"},
        "spec": {"containers": [{"name": "echo", "image": "docker.io/mendhak/http-https-echo:37"}]},
    }
    declined = {**pod, "metadata": {**pod["metadata"], "labels": {"sidecar.istio.io/inject": "false"}}}
    apply(
        serving, {**namespace, "metadata": {"name": "shop", "labels": {"istio-injection": "disabled"}}}, pod
    )
    seen = found(serving, "INJECTION-DRIFT", expect=2)
    assert "without a proxy: shop/bare" in seen["INJECTION-DRIFT"]["detail"]
    apply(serving, declined)
    assert not_open(found(serving, "INJECTION-DRIFT")) == {}
    apply(serving, {**namespace, "metadata": {"name": "shop", "labels": {"istio-injection": "enabled"}}})
