"""A release whose helm was killed: the adapter recovers it, and nothing of it is ever deleted on the way.

The process that runs the adapter is killed with all it started, as soon as Helm has written that it is at work.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from rollout.adapters.kube.api import KubeApi
from rollout.engine.ports import ChartRequest
from tests.e2e.charts import ISTIO, UNANSWERED, Object, Rig, helm, rig, until
from tests.unit.sites import site

pytestmark = pytest.mark.real

SITE = site((1, 1), workers=1)
NAMESPACE = SITE.meshes[0].namespace
OLD, NEW = ISTIO
WATCHED = (
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
    f"/api/v1/namespaces/{NAMESPACE}/secrets",
)
"""All that istio/base has, and where Helm keeps its history."""

CHILD = """
import json, sys
from pathlib import Path
from pyhelm3.command import Command
from rollout.adapters.helm import HelmCharts
from rollout.engine.ports import ChartRequest
from rollout.model.site import ChartSource, ChartSourceKind
from tests.unit.sites import site
asked = json.load(sys.stdin)
source = ChartSource(ChartSourceKind.PATH, asked.pop("folder"))
command = Command(default_timeout="2m", executable=asked.pop("helm"), kubeconfig=Path(asked.pop("kubeconfig")))
HelmCharts(site(), command).install(ChartRequest(source=source, **asked))
"""


@pytest.fixture(scope="module", params=["4", "3"], ids=["helm 4", "helm 3"])
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("stuck"), SITE, UNANSWERED, major=request.param) as made:
        yield made


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No helm is alive behind a pending revision here: the test has killed it."""
    monkeypatch.setattr("rollout.adapters.helm.PATIENCE", timedelta(0))


def test_a_first_install_that_was_killed_is_finished_and_not_uninstalled(real: Rig) -> None:
    killed(real, real.request("istio", "istio-base", OLD), "pending-install")
    assert history(real, "istio-base") == [(1, "pending-install", OLD)]
    before, since = uids(real.api), versions(real.api)
    state = real.install("istio", "istio-base", OLD)
    assert (state.status, state.version) == ("deployed", OLD)
    assert history(real, "istio-base")[0][0] == 1, "the history goes on from the killed revision"
    kept(real, before, since)
    assert len([name for name in uids(real.api)["/customresourcedefinitions"] if "istio.io" in name]) > 10


def test_an_upgrade_that_was_killed_is_taken_back_and_done_again(real: Rig) -> None:
    stood = real.install("istio", "istio-base", OLD).revision
    killed(real, real.request("istio", "istio-base", NEW), "pending-upgrade")
    assert history(real, "istio-base")[-1] == (stood + 1, "pending-upgrade", NEW)
    before, since = uids(real.api), versions(real.api)
    state = real.install("istio", "istio-base", NEW)
    assert (state.status, state.version) == ("deployed", NEW)
    numbers = [number for number, _, _ in history(real, "istio-base")]
    assert numbers == list(range(1, state.revision + 1)), "no revision is missing"
    kept(real, before, since)


def test_the_release_can_be_installed_again_as_asked_without_a_revision(real: Rig) -> None:
    before = history(real, "istio-base")
    real.install("istio", "istio-base", NEW)
    assert history(real, "istio-base") == before


def killed(real: Rig, request: ChartRequest, status: str) -> None:
    """The adapter in a process group of its own, ended by SIGKILL once helm has written its pending revision."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, start_new_session=True, cwd=Path.cwd()
    ) as process:
        assert process.stdin is not None
        process.stdin.write(asked(real, request))
        process.stdin.close()
        try:
            until(lambda: pending(real, request, status), f"helm at work on {request.release}", every=0.01)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert history(real, request.release)[-1][1] == status, "killed too late: helm had finished"


def asked(real: Rig, request: ChartRequest) -> bytes:
    words = {
        "folder": request.source.location,
        "helm": str(helm(real.major)),
        "kubeconfig": str(real.cluster.kubeconfig),
        "release": request.release,
        "namespace": request.namespace,
        "chart": request.chart,
        "version": request.version,
        "values": dict(request.values),
    }
    return json.dumps(words).encode()


def pending(real: Rig, request: ChartRequest, status: str) -> bool:
    path = f"/api/v1/namespaces/{request.namespace}/secrets"
    selector = f"owner=helm,name={request.release},status={status}"
    return bool(real.api.get(path, labelSelector=selector)["items"])


def history(real: Rig, release: str) -> list[tuple[int, str, str]]:
    """From Helm's own secrets: (revision, status, the chart's version)."""
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets"
    found = real.api.get(path, labelSelector=f"owner=helm,name={release}")["items"]
    stored = [json.loads(gzip.decompress(base64.b64decode(twice(item)))) for item in found]
    return sorted(
        (item["version"], item["info"]["status"], item["chart"]["metadata"]["version"]) for item in stored
    )


def twice(secret: Object) -> bytes:
    """Helm encodes what Kubernetes encodes again."""
    return base64.b64decode(secret["data"]["release"])


def uids(api: KubeApi) -> dict[str, dict[str, str]]:
    return {
        f"/{path.rpartition('/')[2]}": {
            item["metadata"]["name"]: item["metadata"]["uid"] for item in api.get(path)["items"]
        }
        for path in WATCHED
    }


def versions(api: KubeApi) -> dict[str, str]:
    return {path: str(api.get(path)["metadata"]["resourceVersion"]) for path in WATCHED}


def kept(real: Rig, before: Mapping[str, Mapping[str, str]], since: Mapping[str, str]) -> None:
    """The same objects are there, and the API server's own record has no deletion in between."""
    after = uids(real.api)
    for kind, found in before.items():
        assert found.items() <= after[kind].items(), kind
    for path, version in since.items():
        assert deleted(real.api, path, version) == [], path


def deleted(api: KubeApi, path: str, version: str) -> list[str]:
    """A watch from back then tells all that happened since, in order."""
    query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "1"}
    with api.stream(path, query, quiet=30.0) as lines:
        events = [json.loads(line) for line in lines if line.strip()]
    return [event["object"]["metadata"]["name"] for event in events if event["type"] == "DELETED"]
