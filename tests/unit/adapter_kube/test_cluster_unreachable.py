"""No answer, a wrong answer and a refusal are told apart, each with what to do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.adapters.kube.cluster import KubeCluster
from rollout.errors import StepFailed, Unreachable
from rollout.model.site import Site
from tests.unit.adapter_kube.objects import APPS, DAEMONSET, NODE, node
from tests.unit.kubeapi import Answer, FakeApi, status


def test_no_server_is_unreachable_and_says_where(site: Site, api: FakeApi) -> None:
    lost = replace(site, kubernetes=replace(api, port=1).kubernetes(site.kubernetes.kubeconfig.parent))
    with pytest.raises(Unreachable, match=r"does not answer.*refused") as caught:
        KubeCluster(lost).nodes()
    assert "127.0.0.1:1" in caught.value.where


@pytest.mark.parametrize("cause", ["no endpoints available for service", "x509: unknown authority"])
def test_a_webhook_that_does_not_answer_is_not_yet_and_no_refusal(
    api: FakeApi, cluster: KubeCluster, cause: str
) -> None:
    """The words of kube-apiserver 1.35 for MetalLB's pools right after its chart."""
    api.on("GET /apis/apps/v1", APPS)
    words = (
        f'Internal error occurred: failed calling webhook "pools.metallb.io": failed to call webhook: {cause}'
    )
    path = "/apis/apps/v1/namespaces/edge/daemonsets/gw"
    api.on(f"PATCH {path}", *[status(500, "InternalError", words)] * 4)
    with pytest.raises(Unreachable, match=r"cannot ask a webhook: .*pools\.metallb\.io") as caught:
        cluster.apply([DAEMONSET])
    assert "behind the service" in caught.value.hint


def test_a_webhook_that_denies_is_a_refusal(api: FakeApi, cluster: KubeCluster) -> None:
    api.on("GET /apis/apps/v1", APPS)
    words = 'admission webhook "pools.metallb.io" denied the request: the prefixes overlap'
    api.on("PATCH /apis/apps/v1/namespaces/edge/daemonsets/gw", status(400, "BadRequest", words))
    with pytest.raises(StepFailed, match="denied the request"):
        cluster.apply([DAEMONSET])


def test_refused_credentials_are_unreachable_with_what_to_renew(
    site: Site, api: FakeApi, tmp_path: Path
) -> None:
    stale = replace(site, kubernetes=api.kubernetes(tmp_path, token="old"))  # noqa: S106
    with pytest.raises(Unreachable, match="refuses our credentials") as caught:
        KubeCluster(stale).nodes()
    assert "kubeconfig" in caught.value.hint


@pytest.mark.parametrize("text", ["", "]", "just: text", "clusters: 3"])
def test_a_kubeconfig_that_is_none_is_an_error_of_ours(site: Site, text: str) -> None:
    site.kubernetes.kubeconfig.write_text(text)
    with pytest.raises(Unreachable, match="kubeconfig cannot be used") as caught:
        KubeCluster(site).nodes()
    assert caught.value.where == str(site.kubernetes.kubeconfig)


def test_a_missing_kubeconfig_and_an_unknown_context_are_errors_of_ours(site: Site) -> None:
    with pytest.raises(Unreachable, match="kubeconfig cannot be used"):
        KubeCluster(replace(site, kubernetes=replace(site.kubernetes, context="nowhere"))).nodes()
    site.kubernetes.kubeconfig.unlink()
    cluster = KubeCluster(site)
    with pytest.raises(Unreachable, match="kubeconfig cannot be used"):
        cluster.nodes()


@pytest.mark.parametrize(
    "answer",
    [Answer(b"<html>proxy</html>"), Answer(b"upstream gone", 502), Answer({"items": [{"metadata": {}}]})],
    ids=["a web page", "a proxy's error", "an object without a name"],
)
def test_an_answer_that_is_no_kubernetes_is_unreachable(
    api: FakeApi, cluster: KubeCluster, answer: Answer
) -> None:
    api.on("GET /api/v1/nodes", answer)
    with pytest.raises(Unreachable):
        cluster.nodes()


def test_one_node_is_read_by_its_name_and_may_be_gone(api: FakeApi, cluster: KubeCluster) -> None:
    """A field selector would make the server look through all of them: ten times as long on a thousand nodes."""
    api.on(f"GET {NODE}", node())
    assert [state.name for state in cluster.nodes("r1n1")] == ["r1n1"]
    assert [(asked.path, asked.query) for asked in api.asked] == [(NODE, {})]
    assert cluster.nodes("gone") == ()
    api.on(f"GET {NODE}", status(403, "Forbidden", "you may not"))
    with pytest.raises(StepFailed, match="you may not"):
        cluster.nodes("r1n1")


def test_an_api_that_says_no_fails_in_its_own_words(api: FakeApi, cluster: KubeCluster) -> None:
    words = 'nodes is forbidden: User "me" cannot list resource "nodes"'
    api.on("GET /api/v1/nodes", status(403, "Forbidden", words))
    with pytest.raises(StepFailed, match=f"{words}.*HTTP 403, Forbidden"):
        cluster.nodes()


def test_two_threads_get_their_own_answers(api: FakeApi, cluster: KubeCluster) -> None:
    """The executor's and the sampler's: neither may see what the other asked."""
    api.on("GET /version", {"gitVersion": "v1.35.8"})
    api.on("GET /api/v1/nodes", {"items": [node("r1n1")]})

    def ask(number: int) -> object:
        return cluster.version() if number % 2 else cluster.nodes()[0].name

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(80)))
    assert answers == ["r1n1", "v1.35.8"] * 40
