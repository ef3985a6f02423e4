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
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from rollout.engine.ports import ChartRequest
from tests.e2e.charts.rig import ISTIO, METALLB, Object, Rig, helm, rig, until
from tests.unit.sites import site

pytestmark = pytest.mark.real

SITE = site((1, 1), workers=1)
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
VALIDATORS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
SPEAKERS = "labelSelector=app.kubernetes.io/component%3Dspeaker"


@dataclass(frozen=True)
class Case:
    """A release of two versions, and the lists that hold all of it that must not be made anew."""

    subject: str
    release: str
    namespace: str
    versions: tuple[str, str]
    lists: tuple[str, ...]

    @property
    def watched(self) -> tuple[str, ...]:
        """Helm's history is among them."""
        return (CRDS, VALIDATORS, f"/api/v1/namespaces/{self.namespace}/secrets", *self.lists)


BASE = Case(
    "istio",
    "istio-base",
    "istio-system",
    ISTIO,
    ("/api/v1/namespaces/istio-system/serviceaccounts",),
)
LB = Case(
    "metallb",
    "metallb",
    "metallb-system",
    METALLB,
    (
        "/apis/apps/v1/namespaces/metallb-system/daemonsets",
        "/apis/apps/v1/namespaces/metallb-system/deployments",
        "/api/v1/namespaces/metallb-system/services",
        f"/api/v1/namespaces/metallb-system/pods?{SPEAKERS}",
    ),
)

CHILD = """
import json, sys
from pathlib import Path
from pyhelm3.command import Command
from rollout.adapters.helm import HelmCharts
from rollout.engine.ports import ChartRequest
from rollout.model.mesh import ChartSource, ChartSourceKind
from tests.unit.sites import site
asked = json.load(sys.stdin)
source = ChartSource(ChartSourceKind.PATH, asked.pop("folder"))
command = Command(default_timeout="2m", executable=asked.pop("helm"), kubeconfig=Path(asked.pop("kubeconfig")))
HelmCharts(site(), command).install(ChartRequest(source=source, **asked))
"""


class Stuck:
    """One release on one cluster: killed, looked at, recovered."""

    def __init__(self, real: Rig, case: Case) -> None:
        self.real, self.case = real, case

    def killed(self, version: str, status: str) -> None:
        """The adapter in a process group of its own, ended by SIGKILL once helm has written its pending revision."""
        request = self.real.request(self.case.subject, self.case.release, version)
        with subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, start_new_session=True, cwd=Path.cwd()
        ) as process:
            assert process.stdin is not None
            process.stdin.write(asked(self.real, request))
            process.stdin.close()
            try:
                until(lambda: bool(self._secrets(f",status={status}")), "helm at work", every=0.01)
            finally:
                os.killpg(process.pid, signal.SIGKILL)
        assert self.history()[-1][1] == status, "killed too late: helm had finished"

    def installed(self, version: str) -> tuple[str, str]:
        state = self.real.install(self.case.subject, self.case.release, version)
        return state.status, state.version

    def history(self) -> list[tuple[int, str, str]]:
        """From Helm's own secrets: (revision, status, the chart's version)."""
        stored = [json.loads(gzip.decompress(twice(item))) for item in self._secrets()]
        return sorted(
            (item["version"], item["info"]["status"], item["chart"]["metadata"]["version"]) for item in stored
        )

    def _secrets(self, more: str = "") -> list[Object]:
        path = f"/api/v1/namespaces/{self.case.namespace}/secrets"
        selector = f"owner=helm,name={self.case.release}{more}"
        found: list[Object] = self.real.api.get(path, labelSelector=selector)["items"]
        return found

    def uids(self) -> dict[str, dict[str, str]]:
        return {
            path: {i["metadata"]["name"]: i["metadata"]["uid"] for i in self.real.api.get(path)["items"]}
            for path in self.case.watched
        }

    def resource_versions(self) -> dict[str, str]:
        return {
            path: str(self.real.api.get(path)["metadata"]["resourceVersion"]) for path in self.case.watched
        }

    def kept(self, before: Mapping[str, Mapping[str, str]], since: Mapping[str, str]) -> None:
        """The same objects are there, and the API server's own record has no deletion in between."""
        after = self.uids()
        for path, found in before.items():
            assert found.items() <= after[path].items(), path
        for path, version in since.items():
            assert self._deleted(path, version) == [], path

    def _deleted(self, path: str, version: str) -> list[str]:
        """A watch from back then tells all that happened since, in order."""
        plain, _, selector = path.partition("?")
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "1"}
        query |= dict(parse_qsl(selector))
        with self.real.api.stream(plain, query, quiet=30.0) as lines:
            events = [json.loads(line) for line in lines if line.strip()]
        return [event["object"]["metadata"]["name"] for event in events if event["type"] == "DELETED"]


@pytest.fixture(
    scope="module", params=[("4", BASE), ("4", LB), ("3", LB)], ids=["helm 4, base", "helm 4", "helm 3"]
)
def stuck(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stuck]:
    major, case = request.param
    with rig(tmp_path_factory.mktemp("stuck"), SITE, major=major) as real:
        yield Stuck(real, case)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No helm is alive behind a pending revision here: the test has killed it."""
    monkeypatch.setattr("rollout.adapters.helm.PATIENCE", timedelta(0))


def test_a_first_install_that_was_killed_is_finished_and_not_uninstalled(stuck: Stuck) -> None:
    old = stuck.case.versions[0]
    stuck.killed(old, "pending-install")
    assert stuck.history() == [(1, "pending-install", old)]
    before, since = stuck.uids(), stuck.resource_versions()
    assert stuck.installed(old) == ("deployed", old)
    assert stuck.history()[0][0] == 1, "the history goes on from the killed revision"
    stuck.kept(before, since)


def test_an_upgrade_that_was_killed_is_taken_back_and_done_again(stuck: Stuck) -> None:
    old, new = stuck.case.versions
    stood = stuck.history()[-1][0]
    assert stuck.installed(old) == ("deployed", old)
    stuck.killed(new, "pending-upgrade")
    assert stuck.history()[-1] == (stood + 1, "pending-upgrade", new)
    before, since = stuck.uids(), stuck.resource_versions()
    assert stuck.installed(new) == ("deployed", new)
    numbers = [number for number, _, _ in stuck.history()]
    assert numbers == list(range(1, numbers[-1] + 1)), "no revision is missing"
    stuck.kept(before, since)


def test_the_release_can_be_installed_again_as_asked_without_a_revision(stuck: Stuck) -> None:
    before = stuck.history()
    stuck.installed(stuck.case.versions[1])
    assert stuck.history() == before


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


def twice(secret: Object) -> bytes:
    """Helm encodes what Kubernetes encodes again."""
    return base64.b64decode(base64.b64decode(secret["data"]["release"]))
