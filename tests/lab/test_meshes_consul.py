"""The simulated Consul mesh on the lab: cross-signing carries a change of root, forcing it without breaks."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from lab.host.enter import command
from lab.mesh import drill
from lab.mesh.certificates import bundle, fingerprint, key_to_pem, mint_root, to_pem, uris_of
from tests.lab.mesh_bench import APPS, MeshBench, running_lab, serve_pairs, until
from tests.unit.mesh_authorities import now

pytestmark = [pytest.mark.lab, pytest.mark.kubectl]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeshBench]:
    with running_lab(tmp_path_factory.mktemp("mesh") / "site", "meshconsul") as bench:
        # leaves of 12 s, so that an old root is pruned after 24 s
        bench.apply_text((APPS / "consul.yaml").read_text().replace('value: "45"', 'value: "12"'))
        bench.rolled_out("statefulset", "consul", "consul-server")
        bench.rolled_out("deployment", "consul", "consul-connect-injector")
        serve_pairs(bench, "consul")
        yield bench


def ask(bench: MeshBench, path: str, body: Any = None) -> Any:
    """The server's HTTP API, as it is reached from a node."""
    address = bench.get("pod", "-n", "consul", "consul-server-0")["status"]["podIP"]
    argv = ["curl", "-sS", "--fail-with-body", f"http://{address}:8500{path}"]
    argv += [] if body is None else ["-X", "PUT", "--data-binary", "@-"]
    given = "" if body is None else json.dumps(body)
    entering = command(bench.site.folder, "r1n1", argv)
    done = subprocess.run(entering, input=given, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout else None


def roots(bench: MeshBench) -> dict[str, Any]:
    found: dict[str, Any] = ask(bench, "/v1/connect/ca/roots")
    return found


def listed(bench: MeshBench) -> list[str]:
    return sorted(fingerprint(bundle(root["RootCert"])[0]) for root in roots(bench)["Roots"])


def rotate(bench: MeshBench, *, forced: bool) -> str:
    """A new root of ours; returns its fingerprint."""
    key = ec.generate_private_key(ec.SECP256R1())
    uri = f"spiffe://{roots(bench)['TrustDomain']}"
    root = mint_root(f"Consul CA {time.time()}", uri, key, timedelta(days=30), now=now())
    config = {"PrivateKey": key_to_pem(key), "RootCert": to_pem([root])}
    body = {"Provider": "consul", "Config": config, "ForceWithoutCrossSigning": forced}
    ask(bench, "/v1/connect/ca/configuration", body)
    return fingerprint(root)


def all_trust(bench: MeshBench, wanted: list[str]) -> bool:
    return [one["roots"] for one in bench.trusts()] == [wanted] * 4


def test_pairs_shake_hands_more_than_ten_times_a_second_and_none_fails(bench: MeshBench) -> None:
    found = bench.watched(4)
    assert len(found.error_window_ms.by_pair) == 12
    assert found.tried >= 4 * 12 * 10
    assert found.failed == 0


def test_a_leaf_names_the_service_in_the_clusters_trust_domain(bench: MeshBench) -> None:
    domain = roots(bench)["TrustDomain"]
    leaf = bench.shown(bench.pairs()[0].pod.address, 20000)
    assert uris_of(leaf) == (f"spiffe://{domain}/ns/default/dc/dc1/svc/pair",)


def test_the_product_sees_the_pairs_as_proxies_of_the_mesh(bench: MeshBench) -> None:
    pods = bench.get("pods", "-n", "drill")["items"]
    images = {c["name"]: c["image"] for pod in pods for c in pod["spec"]["containers"]}
    assert images["consul-dataplane"] == "hashicorp/consul-dataplane:1.9.0"


def test_the_cas_state_survives_the_process_and_the_pod(bench: MeshBench) -> None:
    before = roots(bench)["ActiveRootID"]
    drill.stop_signer(bench.site.folder, bench.site, "consul")
    until(
        lambda: bench.get("pod", "-n", "consul", "consul-server-0")["status"]["containerStatuses"][0]["ready"]
    )
    assert roots(bench)["ActiveRootID"] == before
    bench.kubectl("delete", "pod", "-n", "consul", "consul-server-0")
    bench.rolled_out("statefulset", "consul", "consul-server")
    assert roots(bench)["ActiveRootID"] == before


def test_a_new_root_is_cross_signed_listed_beside_the_old_and_no_handshake_fails(bench: MeshBench) -> None:
    began = time.time()
    (old,) = listed(bench)
    new = rotate(bench, forced=False)
    assert listed(bench) == sorted((old, new))
    until(lambda: all_trust(bench, sorted((old, new))))
    until(lambda: all(len(one["chain"]) == 1 for one in bench.trusts()))
    until(lambda: listed(bench) == [new])
    until(lambda: all_trust(bench, [new]))
    found = bench.handshakes(since=began)
    assert found.tried > 0
    assert found.failed == 0, found


def test_negative_control_forced_without_cross_signing_handshakes_break(bench: MeshBench) -> None:
    """The manifest's polling and jitter put some leaf ahead of some verifier; upstream that is up to chance."""
    began = time.time()
    for _ in range(3):
        new = rotate(bench, forced=True)
        until(lambda new=new: all(new in one["roots"] for one in bench.trusts()))  # type: ignore[misc]
    found = bench.handshakes(since=began)
    assert found.tls_errors > 0
