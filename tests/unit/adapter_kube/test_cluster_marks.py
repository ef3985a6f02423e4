"""A node's cordon and exclusion carry our name and the run's, and nobody else's is touched."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.adapters.kube.cluster import KubeCluster
from rollout.errors import StepFailed
from tests.unit.adapter_kube.objects import EXCLUDE, NODE, node, ours
from tests.unit.kubeapi import FakeApi, status


def test_a_cordon_carries_our_name_in_the_same_patch_at_the_version_that_was_read(
    api: FakeApi, cluster: KubeCluster
) -> None:
    api.on(f"GET {NODE}", node())
    api.on(f"PATCH {NODE}", node())
    cluster.cordon("r1n1", "run-1")
    (patch,) = api.sent("PATCH")
    assert patch.content_type == "application/merge-patch+json"
    assert patch.body == {
        "metadata": {"resourceVersion": "7", "annotations": ours("cordon")},
        "spec": {"unschedulable": True},
    }


def test_excluding_a_node_that_we_cordoned_adds_to_what_we_own(api: FakeApi, cluster: KubeCluster) -> None:
    api.on(f"GET {NODE}", node(metadata={"annotations": ours("cordon")}, spec={"unschedulable": True}))
    api.on(f"PATCH {NODE}", node())
    cluster.exclude("r1n1", "run-1")
    metadata = api.sent("PATCH")[0].body["metadata"]
    assert metadata["labels"] == {EXCLUDE: ""}
    assert metadata["annotations"] == ours("cordon", "exclude")


def test_uncordoning_keeps_our_name_while_we_still_exclude(api: FakeApi, cluster: KubeCluster) -> None:
    annotations = ours("cordon", "exclude")
    found = node(metadata={"labels": {EXCLUDE: ""}, "annotations": annotations}, spec={"unschedulable": True})
    api.on(f"GET {NODE}", found)
    api.on(f"PATCH {NODE}", node())
    cluster.uncordon("r1n1", "run-1")
    assert api.sent("PATCH")[0].body == {
        "metadata": {"resourceVersion": "7", "annotations": ours("exclude")},
        "spec": {"unschedulable": None},
    }


def test_including_a_node_takes_our_name_off_with_the_last_mark(api: FakeApi, cluster: KubeCluster) -> None:
    api.on(f"GET {NODE}", node(metadata={"labels": {EXCLUDE: ""}, "annotations": ours("exclude")}))
    api.on(f"PATCH {NODE}", node())
    cluster.include("r1n1", "run-1")
    assert api.sent("PATCH")[0].body["metadata"] == {
        "resourceVersion": "7",
        "annotations": {"rackroll.io/run": None, "rackroll.io/marks": None},
        "labels": {EXCLUDE: None},
    }


def test_marks_that_are_already_as_wanted_are_not_written_again(api: FakeApi, cluster: KubeCluster) -> None:
    found = node(metadata={"annotations": ours("cordon")}, spec={"unschedulable": True})
    api.on(f"GET {NODE}", found)
    cluster.cordon("r1n1", "run-1")
    api.on(f"GET {NODE}", node())
    cluster.uncordon("r1n1", "run-1")
    cluster.include("r1n1", "run-1")
    assert api.sent("PATCH") == []


def test_a_node_that_someone_else_cordoned_stops_the_run_and_says_who(
    api: FakeApi, cluster: KubeCluster
) -> None:
    fields: dict[str, Any] = {"f:spec": {"f:unschedulable": {}}}
    managed = [{"manager": "kubectl-cordon", "time": "2026-11-23T04:00:00Z", "fieldsV1": fields}]
    api.on(f"GET {NODE}", node(metadata={"managedFields": managed}, spec={"unschedulable": True}))
    with pytest.raises(StepFailed, match=r"cordoned by someone else \(by kubectl-cordon at 2026") as caught:
        cluster.cordon("r1n1", "run-1")
    assert "kubectl uncordon r1n1" in caught.value.hint


def test_a_foreign_cordon_does_not_become_ours_by_excluding_the_node(
    api: FakeApi, cluster: KubeCluster
) -> None:
    annotations = ours("exclude")
    api.on(f"GET {NODE}", node(metadata={"annotations": annotations}, spec={"unschedulable": True}))
    for change in (cluster.cordon, cluster.uncordon):
        with pytest.raises(StepFailed, match="cordoned by someone else"):
            change("r1n1", "run-1")
    assert api.sent("PATCH") == []


def test_what_another_run_holds_is_left_to_it(api: FakeApi, cluster: KubeCluster) -> None:
    held = {"labels": {EXCLUDE: ""}, "annotations": ours("cordon", "exclude", run="run-0")}
    api.on(f"GET {NODE}", node(metadata=held, spec={"unschedulable": True}))
    for change in (cluster.cordon, cluster.uncordon, cluster.exclude, cluster.include):
        with pytest.raises(StepFailed, match="held by another run, run-0"):
            change("r1n1", "run-1")
    assert api.sent("PATCH") == []


def test_a_write_that_came_between_is_read_again(api: FakeApi, cluster: KubeCluster) -> None:
    api.on(f"GET {NODE}", node(), node(metadata={"resourceVersion": "8"}))
    api.on(f"PATCH {NODE}", status(409, "Conflict", "the object has been modified"), node())
    cluster.cordon("r1n1", "run-1")
    assert [p.body["metadata"]["resourceVersion"] for p in api.sent("PATCH")] == ["7", "8"]


def test_a_node_that_is_not_in_the_cluster_is_named(cluster: KubeCluster) -> None:
    with pytest.raises(StepFailed, match=r"cannot read node r1n1.*404"):
        cluster.cordon("r1n1", "run-1")
