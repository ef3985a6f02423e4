"""The simulated Istio mesh on the lab: real handshakes between real nodes while its root is changed, well and badly."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab.mesh import drill
from lab.mesh.certificates import fingerprint, uris_of
from lab.mesh.records import Outcome
from lab.status import Truth, status
from roles.istio.values import istiod_values
from rollout.adapters.helm_program import helm_program
from tests.lab.mesh_bench import ROOT, MeshBench, running_lab, serve_pairs, until
from tests.unit.mesh_authorities import anchor, cacerts, issuer

pytestmark = [pytest.mark.lab, pytest.mark.kubectl]
A, B, C = anchor(1), anchor(2), anchor(3)
ISSUER_A, ISSUER_B, ISSUER_C = issuer(A, 1), issuer(B, 2), issuer(C, 3)
SYSTEM = "istio-system"


def chart(bench: MeshBench) -> str:
    """istiod's stand-in chart with the role's own values, and the flag without which no root can change."""
    values = {**istiod_values(bench.site.mesh("istio"), "1.30.3"), "env": {"ISTIO_MULTIROOT_MESH": "true"}}
    argv = [
        str(helm_program()),
        "template",
        "istiod",
        str(ROOT / "lab/charts/istiod"),
        "-n",
        SYSTEM,
        "-f",
        "-",
    ]
    done = subprocess.run(argv, input=json.dumps(values), capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeshBench]:
    with running_lab(tmp_path_factory.mktemp("mesh") / "site", "meshistio") as bench:
        bench.kubectl("create", "namespace", SYSTEM)
        bench.secret(SYSTEM, "cacerts", cacerts(ISSUER_A, A))
        bench.apply_text(chart(bench))
        bench.rolled_out("deployment", SYSTEM, "istiod")
        serve_pairs(bench, "istio")
        yield bench


def put(bench: MeshBench, *roots: Any, signing: Any) -> None:
    bench.secret(SYSTEM, "cacerts", cacerts(signing, *roots))


def test_twelve_pairs_of_nodes_shake_hands_more_than_ten_times_a_second_and_none_fails(
    bench: MeshBench,
) -> None:
    found = bench.watched(4)
    assert len(found.error_window_ms.by_pair) == 12
    assert found.tried >= 4 * 12 * 10
    assert found.failed == 0


def test_a_census_from_another_node_sees_the_workloads_own_name(bench: MeshBench) -> None:
    for pair in bench.pairs():
        assert uris_of(bench.shown(pair.pod.address, 8443)) == ("spiffe://cluster.local/ns/drill/sa/pair",)


def test_the_product_sees_the_pairs_as_proxies_of_the_mesh(bench: MeshBench) -> None:
    pods = bench.get("pods", "-n", "drill")["items"]
    images = {c["name"]: c["image"] for pod in pods for c in pod["spec"]["containers"]}
    assert images["istio-proxy"] == "docker.io/istio/proxyv2:1.30.3"
    marks = {pod["metadata"]["annotations"]["lab.rackroll.io/simulated"] for pod in pods}
    assert marks == {"istio-proxy, pair by lab.mesh.pair"}


def test_lab_status_calls_signers_and_pairs_simulated_and_counts_them(bench: MeshBench) -> None:
    part = next(part for part in status(bench.site.folder).parts if "mesh signers" in part.name)
    assert (part.truth, part.running) == (Truth.SIMULATED, 6)


def test_the_roots_are_in_every_namespace(bench: MeshBench) -> None:
    spaces = {item["metadata"]["name"] for item in bench.get("namespaces")["items"]}
    maps = bench.get("configmaps", "-A")["items"]
    holders = {m["metadata"]["namespace"] for m in maps if m["metadata"]["name"] == "istio-ca-root-cert"}
    assert holders == spaces


def test_a_signer_that_is_killed_comes_back_and_no_handshake_fails(bench: MeshBench) -> None:
    began = time.time()
    killed = drill.stop_signer(bench.site.folder, bench.site, "istio")
    assert len(killed) == 2
    until(lambda: all(restarts(bench, name) == 1 for name in killed))
    bench.rolled_out("deployment", SYSTEM, "istiod")
    assert bench.handshakes(since=began).failed == 0


def restarts(bench: MeshBench, pod: str) -> int:
    status = bench.get("pod", "-n", SYSTEM, pod)["status"]["containerStatuses"][0]
    return int(status["restartCount"]) if status["ready"] else 0


def test_a_swap_is_refused_with_a_warning_and_changes_nothing(bench: MeshBench) -> None:
    put(bench, B, signing=ISSUER_B)
    until(lambda: all("the old stay" in bench.kubectl("logs", "-n", SYSTEM, name) for name in istiods(bench)))
    assert bench.all_trust(A)
    assert bench.watched(2).failed == 0
    put(bench, A, signing=ISSUER_A)


def istiods(bench: MeshBench) -> list[str]:
    items = bench.get("pods", "-n", SYSTEM, "-l", "app=istiod")["items"]
    return [item["metadata"]["name"] for item in items]


def test_step_by_step_the_root_changes_and_no_handshake_fails(bench: MeshBench) -> None:
    """The signer's step reaches leaves only when they are renewed: here by a restart, pod by pod."""
    began = time.time()
    put(bench, A, B, signing=ISSUER_A)
    until(lambda: bench.all_trust(A, B))
    put(bench, A, B, signing=ISSUER_B)
    until(
        lambda: all(fingerprint(ISSUER_B.certificate)[:12] in last_signer(bench, n) for n in istiods(bench))
    )
    assert bench.all_signed_by(ISSUER_A)
    bench.restart("deployment", "drill", "pair")
    until(lambda: bench.all_signed_by(ISSUER_B))
    put(bench, B, signing=ISSUER_B)
    until(lambda: bench.all_trust(B))
    found = bench.handshakes(since=began)
    assert found.tried > 0
    assert found.failed == 0, found


def last_signer(bench: MeshBench, pod: str) -> str:
    lines = [row for row in bench.kubectl("logs", "-n", SYSTEM, pod).splitlines() if "signing with" in row]
    return lines[-1]


def test_one_verifier_that_forgot_the_root_fails_alone_and_heals(bench: MeshBench) -> None:
    known = fingerprint(B.certificate)
    victim = drill.corrupt_trust(bench.site.folder, bench.site, bench.pairs()[0].pod.node, [known])
    until(lambda: bench.handshakes(since=time.time() - 1).tls_errors > 0)
    found = bench.watched(2)
    failing = {pair for pair, window in found.error_window_ms.by_pair.items() if window}
    assert failing
    assert all(victim.pod.node in pair for pair in failing)
    assert set(found.by_class) <= {Outcome.OK, Outcome.VERIFY, Outcome.REJECTED}
    drill.corrupt_trust(bench.site.folder, bench.site, victim.pod.node, [])
    until(lambda: bench.handshakes(since=time.time() - 1).failed == 0)


def test_negative_control_a_swap_with_restarts_breaks_handshakes(bench: MeshBench) -> None:
    """istiod takes at its start what it refuses while it runs; the pods that restart first meet the others."""
    began = time.time()
    put(bench, C, signing=ISSUER_C)
    bench.restart("deployment", SYSTEM, "istiod")
    bench.restart("deployment", "drill", "pair")
    found = bench.handshakes(since=began)
    assert found.tls_errors > 0
    assert found.error_window_ms.longest > 0


def test_a_frozen_pod_neither_goes_nor_renews_until_it_is_thawed(bench: MeshBench) -> None:
    name = bench.pairs()[0].pod.name
    drill.freeze(bench.site.folder, bench.site, name)
    bench.kubectl("delete", "pod", "-n", "drill", name, "--wait=false")
    time.sleep(1)
    assert "deletionTimestamp" in bench.get("pod", "-n", "drill", name)["metadata"]
    drill.freeze(bench.site.folder, bench.site, name, frozen=False)
    until(lambda: not bench.kubectl("get", "pod", "-n", "drill", name, "--ignore-not-found"))
