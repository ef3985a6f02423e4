"""The simulated Linkerd mesh on the lab: anchors read once, an injector that lags, leaves that are not taken."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab.mesh import drill
from lab.mesh.certificates import dns_names_of, fingerprint
from lab.mesh.records import Outcome
from tests.lab.mesh_bench import APPS, MeshBench, running_lab, serve_pairs, until
from tests.unit.mesh_authorities import anchor, issuer, pem, tls_secret

pytestmark = [pytest.mark.lab, pytest.mark.kubectl]
A, B, C = anchor(1), anchor(2), anchor(3)
ISSUER_A, ISSUER_B, ISSUER_C = issuer(A, 1), issuer(B, 2), issuer(C, 3)
NAME = "pair.drill.serviceaccount.identity.linkerd.cluster.local"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeshBench]:
    with running_lab(tmp_path_factory.mktemp("mesh") / "site", "meshlinkerd") as bench:
        bench.kubectl("create", "namespace", "linkerd")
        bundle(bench, A)
        sign(bench, ISSUER_A, A)
        # leaves of twelve seconds: what a proxy does at 70 % is seen within ten
        bench.apply_text((APPS / "linkerd.yaml").read_text().replace('value: "600"', 'value: "12"'))
        for name in ("linkerd-identity", "linkerd-proxy-injector", "linkerd-destination"):
            bench.rolled_out("deployment", "linkerd", name)
        serve_pairs(bench, "linkerd")
        yield bench


def bundle(bench: MeshBench, *anchors: Any) -> None:
    bench.config("linkerd", "linkerd-identity-trust-roots", {"ca-bundle.crt": pem(*anchors)})


def sign(bench: MeshBench, signing: Any, root: Any) -> None:
    bench.secret("linkerd", "linkerd-identity-issuer", tls_secret(signing, root))


def events(bench: MeshBench) -> list[str]:
    return [item["reason"] for item in bench.get("events", "-n", "linkerd")["items"]]


def restart_control_plane(bench: MeshBench) -> None:
    for name in ("linkerd-identity", "linkerd-proxy-injector"):
        bench.restart("deployment", "linkerd", name)


def test_pairs_shake_hands_more_than_ten_times_a_second_and_none_fails(bench: MeshBench) -> None:
    found = bench.watched(4)
    assert len(found.error_window_ms.by_pair) == 12
    assert found.tried >= 4 * 12 * 10
    assert found.failed == 0


def test_a_leaf_has_one_dns_name_and_is_renewed_before_it_ends(bench: MeshBench) -> None:
    pair = bench.pairs()[0]
    first = bench.shown(pair.pod.address, 4143)
    assert dns_names_of(first) == (NAME,)
    until(lambda: bench.shown(pair.pod.address, 4143) != first)


def test_the_product_sees_the_pairs_as_proxies_of_the_mesh(bench: MeshBench) -> None:
    pods = bench.get("pods", "-n", "drill")["items"]
    images = {c["name"]: c["image"] for pod in pods for c in pod["spec"]["containers"]}
    assert images["linkerd-proxy"] == "linkerd/proxy:edge-26.6.3"


def test_an_issuer_under_an_anchor_that_the_controller_did_not_start_with_is_skipped(
    bench: MeshBench,
) -> None:
    sign(bench, ISSUER_C, C)
    until(lambda: "IssuerUpdateSkipped" in events(bench))
    assert bench.all_signed_by(ISSUER_A)
    sign(bench, ISSUER_A, A)
    until(lambda: "IssuerUpdated" in events(bench))


def test_a_proxy_with_the_old_bundle_keeps_its_old_leaf_until_it_expires(bench: MeshBench) -> None:
    """The trap: bundle and controller are new, the data plane was not restarted, the issuer is switched."""
    bundle(bench, A, B)
    restart_control_plane(bench)
    kept = {one.pod.name: drill.trust(one)["leaf"] for one in bench.pairs()}
    sign(bench, ISSUER_B, B)
    until(lambda: all(said(bench, name, "my new leaf is not taken") for name in kept))
    assert bench.all_signed_by(ISSUER_A)
    until(lambda: bench.handshakes(since=time.time() - 1).by_class.get(Outcome.EXPIRY, 0) > 0)
    sign(bench, ISSUER_A, A)
    until(lambda: bench.handshakes(since=time.time() - 1).failed == 0)


def said(bench: MeshBench, pod: str, words: str) -> bool:
    return words in bench.kubectl("logs", "-n", "drill", pod, "-c", "linkerd-proxy")


def test_in_upstreams_order_the_anchor_changes_and_no_handshake_fails(bench: MeshBench) -> None:
    bench.restart("deployment", "drill", "pair")
    until(lambda: bench.all_trust(A, B))
    began = time.time()
    sign(bench, ISSUER_B, B)
    until(lambda: bench.all_signed_by(ISSUER_B))
    bundle(bench, B)
    restart_control_plane(bench)
    bench.restart("deployment", "drill", "pair")
    assert bench.all_trust(B)
    found = bench.handshakes(since=began)
    assert found.tried > 0
    assert found.failed == 0, found


def test_the_injector_hands_out_what_its_pod_has_mounted_not_what_the_api_holds(bench: MeshBench) -> None:
    lag = {"spec": {"template": {"metadata": {"annotations": {"lab.rackroll.io/volume-lag": "600"}}}}}
    bench.kubectl("patch", "deployment", "-n", "linkerd", "linkerd-proxy-injector", "-p", json.dumps(lag))
    bench.rolled_out("deployment", "linkerd", "linkerd-proxy-injector")
    bundle(bench, B, C)
    name = bench.pairs()[0].pod.name
    bench.kubectl("delete", "pod", "-n", "drill", name)
    bench.rolled_out("deployment", "drill", "pair")
    assert bench.all_trust(B)
    bundle(bench, B)


def test_negative_control_a_swap_in_one_step_breaks_handshakes(bench: MeshBench) -> None:
    began = time.time()
    bundle(bench, C)
    sign(bench, ISSUER_C, C)
    restart_control_plane(bench)
    bench.restart("deployment", "drill", "pair")
    found = bench.handshakes(since=began)
    assert found.tls_errors > 0
    assert found.error_window_ms.longest > 0
    assert {one["chain"][0] for one in bench.trusts()} == {fingerprint(ISSUER_C.certificate)}
