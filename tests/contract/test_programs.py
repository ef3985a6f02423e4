"""The programs people use: kubectl and Helm, against the same API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rollout.adapters.helm_program import helm_program
from tests.contract.target import Api, Target, eventually

PAUSE = "registry.k8s.io/pause:3.10"
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: probe\nversion: 1.0.0\nappVersion: 1.0.0\n",
    "values.yaml": "replicas: 1\nmessage: first\nimage: registry.k8s.io/pause:3.10\n",
    "templates/all.yaml": """
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data: {message: "{{ .Values.message }}"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec:
      terminationGracePeriodSeconds: 0
      {{- with .Values.nodeSelector }}
      nodeSelector: {{ toJson . }}
      {{- end }}
      containers: [{name: main, image: "{{ .Values.image }}"}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: "{{ .Release.Name }}-hook", annotations: {helm.sh/hook: "pre-install,pre-upgrade"}}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: ["true"]}]}
""",
}


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    for name, text in CHART.items():
        file = tmp_path / "probe" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "probe"


@pytest.fixture
def helm() -> str:
    return str(helm_program())


@pytest.mark.call("kubectl")
@pytest.mark.kubectl
def test_kubectl_prints_proper_columns(target: Target, space: str) -> None:
    target.kubectl("create", "deployment", "web", f"--image={PAUSE}", "-n", space)
    target.kubectl("rollout", "status", "deployment/web", "-n", space, "--timeout=30s")
    target.kubectl("expose", "deployment", "web", "--port=80", "-n", space)
    shown = target.kubectl("get", "nodes,pods,svc,deploy", "-n", space)
    assert "NAME" in shown
    assert "VERSION" in shown
    assert "1/1     Running" in shown
    assert "CLUSTER-IP" in shown
    wide = target.kubectl("get", "nodes", "-o", "wide")
    assert "INTERNAL-IP" in wide


@pytest.mark.call("POST of protobuf (kubectl, Helm)")
@pytest.mark.kubectl
def test_kubectl_posts_protobuf_and_is_understood(target: Target, space: str) -> None:
    target.kubectl("create", "configmap", "c", "--from-literal=k=v", "-n", space)
    target.kubectl("create", "secret", "generic", "s", "--from-literal=k=v", "-n", space)
    target.kubectl("create", "serviceaccount", "a", "-n", space)
    target.kubectl("create", "role", "r", "--verb=get", "--resource=pods", "-n", space)
    target.kubectl("create", "rolebinding", "b", "--role=r", f"--serviceaccount={space}:a", "-n", space)
    target.kubectl("create", "service", "clusterip", "i", "--tcp=80:8080", "-n", space)
    target.kubectl("create", "poddisruptionbudget", "p", "--selector=a=b", "--min-available=1", "-n", space)
    target.kubectl("create", "job", "j", "--image=busybox", "-n", space, "--", "true")
    assert target.kubectl("get", "secret", "s", "-n", space, "-o", "jsonpath={.data.k}") == "dg=="
    rule = json.loads(target.kubectl("get", "role", "r", "-n", space, "-o", "json"))["rules"][0]
    assert rule == {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    port = json.loads(target.kubectl("get", "service", "i", "-n", space, "-o", "json"))["spec"]["ports"][0]
    assert (port["port"], port["targetPort"]) == (80, 8080)


@pytest.mark.call("kubectl")
@pytest.mark.kubectl
def test_kubectl_apply_edits_and_prunes_fields(target: Target, space: str) -> None:
    first = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": space},
        "data": {"a": "1", "b": "1"},
    }
    assert "created" in target.kubectl("apply", "-f", "-", stdin=json.dumps(first))
    second = {**first, "data": {"a": "2"}}
    assert "configured" in target.kubectl("apply", "-f", "-", stdin=json.dumps(second))
    assert "unchanged" in target.kubectl("apply", "-f", "-", stdin=json.dumps(second))
    assert json.loads(target.kubectl("get", "cm", "c", "-n", space, "-o", "json"))["data"] == {"a": "2"}


@pytest.mark.call("kubectl")
@pytest.mark.kubectl
def test_kubectl_apply_server_side_reports_conflicts(target: Target, space: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": space},
        "data": {"a": "1"},
    }
    apply = ("apply", "--server-side", "-f", "-")
    target.kubectl(*apply, "--field-manager=one", stdin=json.dumps(body))
    other = json.dumps({**body, "data": {"a": "2"}})
    told = target.kubectl(*apply, "--field-manager=two", stdin=other, ok=False)
    assert 'conflict with "one"' in told
    target.kubectl(*apply, "--field-manager=two", "--force-conflicts", stdin=other)


@pytest.mark.call("kubectl")
@pytest.mark.kubectl
def test_kubectl_wait_hears_of_a_change(target: Target, space: str) -> None:
    target.kubectl("create", "deployment", "web", f"--image={PAUSE}", "-n", space)
    target.kubectl("wait", "--for=condition=Available", "deployment/web", "-n", space, "--timeout=30s")
    target.kubectl("delete", "deployment", "web", "-n", space, "--cascade=foreground", "--timeout=30s")
    eventually(
        lambda: "No resources found" in target.program("sh", "-c", f"kubectl get pods -n {space} 2>&1")
    )


@pytest.mark.call("kubectl")
@pytest.mark.kubectl
def test_kubectl_rolls_out_and_back(target: Target, space: str) -> None:
    target.kubectl("create", "deployment", "web", f"--image={PAUSE}", "--replicas=2", "-n", space)
    status = ("rollout", "status", "deployment/web", "-n", space, "--timeout=30s")
    target.kubectl(*status)
    target.kubectl("set", "image", "deployment/web", "pause=registry.k8s.io/pause:3.9", "-n", space)
    target.kubectl(*status)
    target.kubectl("rollout", "undo", "deployment/web", "-n", space)
    target.kubectl(*status)
    history = target.kubectl("rollout", "history", "deployment/web", "-n", space).split()
    assert history[-4::2] == ["2", "3"]


@pytest.mark.call("kubectl")
@pytest.mark.kubectl
def test_kubectl_drain_evicts_and_leaves_daemons(target: Target, space: str) -> None:
    target.kubectl("create", "deployment", "web", f"--image={PAUSE}", "--replicas=4", "-n", space)
    target.kubectl("rollout", "status", "deployment/web", "-n", space, "--timeout=30s")
    where = ("get", "pods", "-n", space, "-o", "jsonpath={.items[*].spec.nodeName}")
    node = target.kubectl(*where).split()[0]
    options = ("--ignore-daemonsets", "--delete-emptydir-data", "--pod-selector=app=web", "--timeout=30s")
    try:
        target.kubectl("drain", node, *options)
        assert node not in target.kubectl(*where).split()
        assert "SchedulingDisabled" in target.kubectl("get", "node", node)
    finally:
        target.kubectl("uncordon", node)


@pytest.mark.call("pods/exec")
@pytest.mark.kubectl
def test_kubectl_exec_returns_the_exit_code(target: Target, space: str) -> None:
    target.kubectl("create", "deployment", "web", "--image=busybox", "-n", space, "--", "sleep", "600")
    target.kubectl("rollout", "status", "deployment/web", "-n", space, "--timeout=60s")
    target.kubectl("exec", "deployment/web", "-n", space, "--", "true")
    target.kubectl("exec", "deployment/web", "-n", space, "--", "false", ok=False)


@pytest.mark.call("Helm")
def test_helm_installs_upgrades_rolls_back_and_uninstalls(
    target: Target, space: str, helm: str, chart: Path
) -> None:
    release = ("probe", "-n", space)
    wait = ("--wait", "--timeout", "60s")
    target.program(helm, "install", "probe", str(chart), "-n", space, *wait)
    target.program(helm, "upgrade", "probe", str(chart), "-n", space, "--set", "message=second", *wait)
    target.program(helm, "rollback", "probe", "1", "-n", space, *wait)
    rows = json.loads(target.program(helm, "history", *release, "-o", "json"))
    assert [row["status"] for row in rows] == ["superseded", "superseded", "deployed"]
    assert rows[-1]["description"] == "Rollback to 1"
    listed = json.loads(target.program(helm, "list", "-n", space, "-o", "json"))
    assert [(row["name"], row["revision"], row["status"]) for row in listed] == [("probe", "3", "deployed")]
    target.program(helm, "uninstall", *release, *wait)
    assert json.loads(target.program(helm, "list", "-n", space, "-o", "json")) == []


@pytest.mark.call("Helm")
def test_helm_waits_in_vain_for_what_cannot_become_ready(
    target: Target, space: str, helm: str, chart: Path
) -> None:
    told = target.program(
        helm,
        *("install", "probe", str(chart), "-n", space, "--wait", "--timeout", "2s"),
        *("--set", "nodeSelector.contract/none=here"),
        ok=False,
    )
    assert "not ready" in told
    rows = json.loads(target.program(helm, "history", "probe", "-n", space, "-o", "json"))
    assert [row["status"] for row in rows] == ["failed"]


@pytest.mark.call("Helm")
def test_helm_creates_the_namespace_it_is_told_to(
    api: Api, target: Target, space: str, helm: str, chart: Path
) -> None:
    other = f"{space}-new"
    target.program(helm, "install", "probe", str(chart), "-n", other, "--create-namespace")
    target.program(helm, "uninstall", "probe", "-n", other)
    assert api.call("DELETE", f"/api/v1/namespaces/{other}").code == 200


@pytest.mark.call("Helm")
def test_helm_meets_a_conflict_with_another_manager(
    api: Api, target: Target, space: str, helm: str, chart: Path
) -> None:
    """Helm 4 applies on the server: a field somebody else took is not overwritten in silence."""
    target.program(helm, "install", "probe", str(chart), "-n", space)
    patch = {"data": {"message": "somebody else's"}}
    api.patch(f"/api/v1/namespaces/{space}/configmaps/probe", patch, "merge", fieldManager="somebody")
    told = target.program(
        helm, "upgrade", "probe", str(chart), "-n", space, "--set", "message=mine", ok=False
    )
    assert "conflict" in told
    forced = ("--set", "message=mine", "--force-conflicts")
    target.program(helm, "upgrade", "probe", str(chart), "-n", space, *forced)
