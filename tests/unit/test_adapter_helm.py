"""The Helm adapter against a scripted ``helm``: what it runs, when it runs nothing, and how it recovers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyhelm3 import errors
from pyhelm3.command import Command

from rollout.adapters.helm import HelmCharts
from rollout.adapters.helm_program import helm_program
from rollout.engine.ports import ChartRequest, Charts
from rollout.errors import StepFailed, Unreachable
from rollout.model.mesh import ChartSource, ChartSourceKind
from rollout.model.observed import ChartState
from rollout.model.site import Kubernetes
from rollout.site.load import load_site

SITE = replace(
    load_site(Path(__file__).resolve().parents[2] / "inventory" / "lab"),
    kubernetes=Kubernetes(Path("/site/kubeconfig"), "rack", "1.35"),
)
OLD = datetime(2026, 1, 1, tzinfo=UTC)
OCI = ChartSource(ChartSourceKind.OCI, "oci://registry.example/charts/")
REQUEST = ChartRequest(OCI, "istiod", "istio-system", "istiod", "1.31.1", {"global": {"tag": "1.31.1"}})


class ScriptedHelm(Command):  # type: ignore[misc]  # pyhelm3 ships no types
    """Keeps a release's history as helm would, and every command line that was run."""

    def __init__(self, *revisions: tuple[str, str]) -> None:
        super().__init__(executable="helm", kubeconfig=SITE.kubernetes.kubeconfig)
        self.revisions = [self.line(number, *r) for number, r in enumerate(revisions, start=1)]
        self.values: dict[str, Any] = {}
        self.ran: list[list[str]] = []
        self.fail: dict[str, Exception] = {}
        self.listing: list[dict[str, Any]] = []

    @staticmethod
    def line(number: int, status: str, chart: str, at: datetime = OLD) -> dict[str, Any]:
        stamp = at.strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
        return {"revision": number, "status": status, "chart": chart, "updated": stamp}

    async def run(self, command: list[Any], input: bytes | None = None) -> bytes:
        words = [str(word) for word in command]
        self.ran.append(words)
        if words[0] in self.fail:
            raise self.fail[words[0]]
        return json.dumps(self.answer(words, input)).encode()

    def answer(self, words: list[str], given: bytes | None) -> Any:
        match words[0]:
            case "history" if not self.revisions:
                raise errors.ReleaseNotFoundError(1, b"", b"Error: release: not found")
            case "history":
                return self.revisions
            case "get":
                return self.values
            case "list":
                return self.listing
            case "rollback":
                self._add(self.revisions[int(words[2]) - 1]["chart"])
            case "upgrade":
                self.values = json.loads(given or b"{}")
                version = words[words.index("--version") + 1] if "--version" in words else "1.31.1"
                self._add(f"{words[2].rsplit('/', 1)[-1].removesuffix('.tgz').split('-1.')[0]}-{version}")
        return {}

    def _add(self, chart: str) -> None:
        for revision in self.revisions:
            if revision["status"] == "deployed":
                revision["status"] = "superseded"
        self.revisions.append(self.line(len(self.revisions) + 1, "deployed", chart))

    def ran_verbs(self) -> list[str]:
        return [words[0] for words in self.ran if words[0] not in ("history", "get")]

    def line_of(self, verb: str) -> list[str]:
        return next(words for words in self.ran if words[0] == verb)


def charts(helm: ScriptedHelm) -> HelmCharts:
    return HelmCharts(SITE, helm, sleep=lambda _: None)


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def test_a_new_release_is_installed_without_waiting_and_its_state_is_helms() -> None:
    helm = ScriptedHelm()
    fits: Charts = charts(helm)
    state = fits.install(REQUEST)
    assert state == ChartState("istiod", "istio-system", "istiod", "1.31.1", "deployed", 1)
    words = helm.line_of("upgrade")
    assert "--install" in words
    assert "--create-namespace" in words
    assert "--wait" not in words
    assert option(words, "--namespace") == "istio-system"
    assert option(words, "--timeout") == "2m"


def test_what_is_deployed_as_asked_gets_no_new_revision() -> None:
    helm = ScriptedHelm(("deployed", "istiod-1.31.1"))
    helm.values = {"global": {"tag": "1.31.1"}}
    assert charts(helm).install(REQUEST).revision == 1
    assert helm.ran_verbs() == []


@pytest.mark.parametrize(
    ("revision", "values"),
    [
        (("deployed", "istiod-1.30.3"), {"global": {"tag": "1.31.1"}}),
        (("deployed", "istiod-1.31.1"), {"global": {"tag": "1.30.3"}}),
        (("failed", "istiod-1.31.1"), {"global": {"tag": "1.31.1"}}),
    ],
    ids=["another version", "other values", "a failed revision"],
)
def test_anything_else_is_upgraded(revision: tuple[str, str], values: dict[str, Any]) -> None:
    helm = ScriptedHelm(revision)
    helm.values = values
    assert charts(helm).install(REQUEST).revision == 2
    assert helm.ran_verbs() == ["upgrade"]


def test_an_interrupted_upgrade_is_rolled_back_to_what_stood_and_then_done() -> None:
    helm = ScriptedHelm(
        ("superseded", "istiod-1.29.0"), ("deployed", "istiod-1.30.3"), ("pending-upgrade", "istiod-1.31.1")
    )
    state = charts(helm).install(REQUEST)
    assert helm.ran_verbs() == ["rollback", "upgrade"]
    assert helm.line_of("rollback")[1:3] == ["istiod", "2"]
    assert (state.version, state.revision) == ("1.31.1", 5)


def test_an_interrupted_first_install_is_finished_never_uninstalled() -> None:
    helm = ScriptedHelm(("pending-install", "istiod-1.31.1"))
    helm.values = {"global": {"tag": "1.31.1"}}
    state = charts(helm).install(REQUEST)
    assert helm.ran_verbs() == ["rollback"]
    assert helm.line_of("rollback")[1:3] == ["istiod", "1"]
    assert (state.status, state.revision) == ("deployed", 2)


def test_a_release_that_another_helm_works_on_is_waited_for() -> None:
    helm = ScriptedHelm()
    helm.revisions = [helm.line(1, "pending-install", "istiod-1.31.1", datetime.now(UTC))]
    helm.values = {"global": {"tag": "1.31.1"}}

    def other_helm_finishes(_: float) -> None:
        helm.revisions[0]["status"] = "deployed"

    state = HelmCharts(SITE, helm, sleep=other_helm_finishes).install(REQUEST)
    assert (state.status, state.revision) == ("deployed", 1)
    assert helm.ran_verbs() == []


def test_a_young_pending_release_becomes_old_and_is_recovered() -> None:
    helm = ScriptedHelm()
    helm.revisions = [helm.line(1, "pending-install", "istiod-1.31.1", datetime.now(UTC))]

    def half_a_minute_passes(_: float) -> None:
        helm.revisions[0] = helm.line(
            1, "pending-install", "istiod-1.31.1", datetime.now(UTC) - timedelta(seconds=31)
        )

    HelmCharts(SITE, helm, sleep=half_a_minute_passes).install(REQUEST)
    assert helm.ran_verbs()[0] == "rollback"


def test_a_recovery_that_fails_says_what_to_run_by_hand() -> None:
    helm = ScriptedHelm(("deployed", "istiod-1.30.3"), ("pending-upgrade", "istiod-1.31.1"))
    helm.fail["rollback"] = errors.Error(1, b"", b"Error: no")
    with pytest.raises(StepFailed, match="revision 2 pending-upgrade") as caught:
        charts(helm).install(REQUEST)
    assert "helm rollback istiod 1 -n istio-system" in caught.value.hint


def test_a_release_that_someone_uninstalls_is_left_to_them() -> None:
    helm = ScriptedHelm(("uninstalling", "istiod-1.30.3"))
    with pytest.raises(StepFailed, match="being uninstalled by someone else"):
        charts(helm).install(REQUEST)
    assert helm.ran_verbs() == []


def test_a_release_is_uninstalled_when_asked_and_a_second_time_there_is_none() -> None:
    helm = ScriptedHelm(("deployed", "cilium-preflight-1.19.1"))
    assert charts(helm).remove("kube-system", "preflight") is True
    assert helm.line_of("uninstall")[1] == "preflight"
    assert option(helm.line_of("uninstall"), "--namespace") == "kube-system"
    helm.fail["uninstall"] = errors.ReleaseNotFoundError(1, b"", b"Error: release: not found")
    assert charts(helm).remove("kube-system", "preflight") is False


def test_an_uninstall_that_helm_refuses_is_told_in_its_words() -> None:
    helm = ScriptedHelm()
    helm.fail["uninstall"] = errors.Error(1, b"", b"Error: a hook failed")
    with pytest.raises(StepFailed, match="helm could not uninstall: a hook failed"):
        charts(helm).remove("kube-system", "preflight")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (
            'UPGRADE FAILED: conflict occurred while applying object /x: conflicts with "by-hand": .spec.x',
            "take that back",
        ),
        (
            "values don't meet the specifications of the schema(s) in the following chart(s): gateway: x",
            "compare its values",
        ),
    ],
)
def test_what_helm_says_of_a_conflict_or_of_a_schema_has_a_next_step(words: str, hint: str) -> None:
    helm = ScriptedHelm()
    helm.fail["upgrade"] = errors.Error(1, b"", f"Error: {words}".encode())
    with pytest.raises(StepFailed) as caught:
        charts(helm).install(REQUEST)
    assert hint in caught.value.hint


def test_helms_words_reach_the_operator_without_its_chatter() -> None:
    helm = ScriptedHelm()
    noise = b"WARNING: Kubernetes configuration file is group-readable.\nI1123 05:00:00.0 1 x.go:1] hello\n"
    words = b'Error: INSTALLATION FAILED: Deployment.apps "istiod" is invalid: spec.selector'
    helm.fail["upgrade"] = errors.InvalidResourceError(1, b"", noise + words)
    with pytest.raises(StepFailed) as caught:
        charts(helm).install(REQUEST)
    assert caught.value.message == (
        "helm could not install istiod 1.31.1: INSTALLATION FAILED: "
        'Deployment.apps "istiod" is invalid: spec.selector'
    )
    assert caught.value.where == "helm release istio-system/istiod"


def test_no_api_is_unreachable_but_a_webhook_that_refuses_is_a_failed_step() -> None:
    helm = ScriptedHelm()
    gone = b'Error: kubernetes cluster unreachable: Get "http://127.0.0.1:1/version": connection refused'
    helm.fail["history"] = errors.Error(1, b"", gone)
    with pytest.raises(Unreachable, match="connection refused"):
        charts(helm).install(REQUEST)
    refused = b'Error: failed calling webhook "x": dial tcp 10.0.0.1:443: connect: connection refused'
    helm.fail = {"upgrade": errors.Error(1, b"", refused)}
    with pytest.raises(StepFailed, match="failed calling webhook"):
        charts(helm).install(REQUEST)


def test_an_answer_that_is_not_json_is_an_error_of_ours() -> None:
    helm = ScriptedHelm(("deployed", "istiod-1.31.1"))
    helm.revisions[0]["updated"] = "yesterday"
    with pytest.raises(StepFailed, match="its answer is not understood"):
        charts(helm).install(REQUEST)


def test_releases_of_every_namespace_are_listed_also_failed_and_hanging_ones() -> None:
    helm = ScriptedHelm()
    helm.listing = [
        {
            "name": "b",
            "namespace": "z",
            "chart": "consul-k8s-1.9.0-rc.1",
            "status": "failed",
            "revision": "3",
        },
        {"name": "a", "namespace": "y", "chart": "gateway-1.30.3", "status": "deployed", "revision": "1"},
    ]
    assert charts(helm).releases() == (
        ChartState("a", "y", "gateway", "1.30.3", "deployed", 1),
        ChartState("b", "z", "consul-k8s", "1.9.0-rc.1", "failed", 3),
    )
    assert {"--all-namespaces", "--failed", "--pending", "--uninstalling"} <= set(helm.line_of("list"))


def test_helm_is_found_on_path_then_in_our_cache_then_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(StepFailed, match="no helm program"):
        helm_program()
    cached = tmp_path / "cache" / "rackroll" / "tools" / "helm-4" / "v4.2.4" / "helm"
    on_path = tmp_path / "bin" / "helm"
    for program in (cached, on_path):
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    assert helm_program() == cached
    monkeypatch.setenv("PATH", str(on_path.parent))
    assert helm_program() == on_path
