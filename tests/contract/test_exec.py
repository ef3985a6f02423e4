"""Commands in containers, by websocket as the product runs them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.adapters.kube.api import KubeApi, connect
from rollout.adapters.kube.execute import Container, run_in_container
from rollout.errors import StepFailed
from rollout.model.site import Kubernetes
from tests.contract.target import Api, Target
from tests.contract.workloads import bare_pod, deployed, pods, workload

pytestmark = pytest.mark.call("pods/exec")


@pytest.fixture
def kube(target: Target) -> KubeApi:
    return connect(Kubernetes(target.kubeconfig, None, ""))


@pytest.fixture
def box(api: Api, space: str) -> Container:
    body = workload("Deployment", "box", "busybox", replicas=1)
    body["spec"]["template"]["spec"]["containers"][0]["command"] = ["sleep", "600"]
    deployed(api, space, body)
    return Container(space, pods(api, space, "box")[0]["metadata"]["name"], "main")


def test_a_command_succeeds_or_says_why_not(kube: KubeApi, box: Container) -> None:
    run_in_container(kube, box, ["true"])
    with pytest.raises(StepFailed, match="`false` failed"):
        run_in_container(kube, box, ["false"])


def test_a_container_or_a_pod_that_is_not_there_is_refused(kube: KubeApi, box: Container) -> None:
    with pytest.raises(StepFailed, match="container other is not valid for pod"):
        run_in_container(kube, replace(box, container="other"), ["true"])
    with pytest.raises(StepFailed, match='pods "nobody" not found'):
        run_in_container(kube, replace(box, pod="nobody"), ["true"])


def test_a_pod_that_does_not_run_yet_is_refused(api: Api, kube: KubeApi, space: str) -> None:
    body = bare_pod("p")
    body["spec"]["nodeSelector"] = {"contract.rackroll.io/none": "here"}
    while api.call("POST", f"/api/v1/namespaces/{space}/pods", body).code == 403:
        pass
    with pytest.raises(StepFailed, match="pod p does not have a host assigned"):
        run_in_container(kube, Container(space, "p", "main"), ["true"])


@pytest.mark.differs(
    "simulated", "nothing runs in the pods of the simulated kubelet: no command has an output"
)
def test_what_a_command_says_is_heard(kube: KubeApi, box: Container) -> None:
    assert run_in_container(kube, box, ["echo", "said"]) == "said\n"
    with pytest.raises(StepFailed, match=r"`sh -c .*` failed: sorry"):
        run_in_container(kube, box, ["sh", "-c", "echo sorry >&2; exit 3"])
