from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from lab.node.admin import parse
from lab.node.bootstrap import Place, endpoints, gateway, sidecar
from lab.node.envoy import EnvoyMissing, envoy_version
from lab.node.execute import read_request
from lab.node.facts import Endpoint, seconds
from lab.node.phases import Addresses, Life, Phase, backoff, crashed, pod_status, probed
from lab.node.podspec import Drain, PreStop, ProxyKind, Readiness, read_pod


def pod(
    *containers: dict[str, Any], annotations: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    meta = {"namespace": "shop", "name": "echo-1", "uid": "u1", "annotations": annotations or {}}
    return {"metadata": meta, "spec": {"containers": list(containers), **spec}}


PROXY = {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.31.1"}
APP = {"name": "app", "image": "app:1", "ports": [{"containerPort": 8080}]}


def test_a_lone_proxy_is_a_gateway_and_beside_an_app_it_is_a_sidecar() -> None:
    alone, beside = read_pod(pod(PROXY)), read_pod(pod(APP, PROXY))
    assert alone.proxy is not None
    assert beside.proxy is not None
    assert (alone.proxy.kind, alone.simulated) == (ProxyKind.GATEWAY, ())
    assert (beside.proxy.kind, beside.simulated, beside.app_ports) == (ProxyKind.SIDECAR, ("app",), (8080,))


def test_without_a_proxy_everything_is_simulated() -> None:
    assert read_pod(pod(APP)).simulated == ("app",)


def test_the_istio_version_picks_the_envoy() -> None:
    spec = read_pod(pod(PROXY))
    assert spec.proxy is not None
    assert envoy_version(spec.proxy.istio) == "1.39.3"
    assert envoy_version("1.30.3") == "1.38.3"


def test_an_istio_without_a_known_envoy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(EnvoyMissing, match=r"1\.30, 1\.31"):
        envoy_version("1.99.0")


def test_drain_times_come_from_the_annotation_and_the_environment_wins() -> None:
    config = "terminationDrainDuration: 12s\nproxyMetadata: {EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'true'}"
    env = [{"name": "MINIMUM_DRAIN_DURATION", "value": "2s"}]
    spec = read_pod(pod({**PROXY, "env": env}, annotations={"proxy.istio.io/config": config}))
    assert spec.proxy is not None
    assert spec.proxy.drain == Drain(12.0, 2.0, True)
    plain = read_pod(pod(PROXY)).proxy
    assert plain is not None
    assert plain.drain == Drain(5.0, 5.0, False)


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ({"sleep": {"seconds": 3}}, PreStop(3.0)),
        ({"exec": {"command": ["/bin/sh", "-c", "sleep 15"]}}, PreStop(15.0)),
        (
            {"exec": {"command": ["sh", "-c", "pilot-agent request POST healthcheck/fail && sleep 2"]}},
            PreStop(2.0, ("POST", "/healthcheck/fail")),
        ),
    ],
)
def test_pre_stop_hooks_are_understood(hook: dict[str, Any], expected: PreStop) -> None:
    assert read_pod(pod({**PROXY, "lifecycle": {"preStop": hook}})).pre_stop == (expected,)


def test_a_zero_grace_period_is_not_mistaken_for_the_default() -> None:
    assert read_pod(pod(APP, terminationGracePeriodSeconds=0)).grace == 0
    assert read_pod(pod(APP)).grace == 30


def test_a_pod_is_unready_only_after_its_probe_failed_long_enough() -> None:
    probe = Readiness(period=1, failures=3)
    life = probed(Life(Phase.RUNNING), True, probe, 0.0)
    assert life.ready
    life = probed(life, False, probe, 10.0)
    assert probed(life, False, probe, 12.9).ready
    assert not probed(life, False, probe, 13.0).ready
    assert probed(probed(life, True, probe, 12.0), False, probe, 13.0).ready


def test_a_starting_pod_is_not_ready_before_its_first_good_probe() -> None:
    assert not probed(Life(Phase.RUNNING), False, Readiness(), 0.0).ready


def test_restarts_are_counted_and_wait_longer_each_time() -> None:
    life = crashed(crashed(Life(Phase.RUNNING, ready=True), "x"), "x")
    assert (life.restarts, life.ready) == (2, False)
    assert [backoff(n) for n in (1, 2, 3, 9)] == [0.5, 1.0, 2.0, 10.0]


def test_status_keeps_transition_times_of_conditions_that_did_not_move() -> None:
    spec, places = read_pod(pod(APP, PROXY)), Addresses("10.244.1.2", "10.90.1.11")
    first = pod_status(spec, Life(Phase.RUNNING), places, {}, "t1")
    second = pod_status(spec, Life(Phase.RUNNING, ready=True), places, first, "t2")
    times = {c["type"]: c["lastTransitionTime"] for c in second["conditions"]}
    assert times == {"PodScheduled": "t1", "Initialized": "t1", "ContainersReady": "t2", "Ready": "t2"}
    assert second["startTime"] == "t1"


def test_a_missing_image_is_pending_with_its_reason() -> None:
    life = Life(Phase.NO_IMAGE, message="no Envoy for 1.99")
    status = pod_status(read_pod(pod(PROXY)), life, Addresses("a", "b"), {}, "t")
    assert status["phase"] == "Pending"
    waiting = status["containerStatuses"][0]["state"]["waiting"]
    assert waiting == {"reason": "ErrImagePull", "message": "no Envoy for 1.99"}


def test_simulated_containers_say_so_in_their_id() -> None:
    status = pod_status(read_pod(pod(APP, PROXY)), Life(Phase.RUNNING), Addresses("a", "b"), {}, "t")
    assert [c["containerID"].partition(":")[0] for c in status["containerStatuses"]] == ["simulated", "envoy"]


PLACE = Place("gw-a", "r1n1", "10.244.1.2", "/run/rackroll/x")


def test_a_gateway_follows_its_backend_from_a_watched_file_and_names_itself() -> None:
    config = gateway(PLACE, (80,), "echo.shop")
    (cluster,) = config["static_resources"]["clusters"]
    source = cluster["eds_cluster_config"]["eds_config"]["path_config_source"]
    assert source == {
        "path": "/run/rackroll/x/eds/echo.json",
        "watched_directory": {"path": "/run/rackroll/x/eds"},
    }
    text = json.dumps(config)
    for expected in (
        "x-rackroll-gateway",
        "x-rackroll-node",
        "connect-failure,refused-stream",
        "/healthz/ready",
    ):
        assert expected in text


def test_a_sidecar_says_that_its_application_is_simulated() -> None:
    config = sidecar(PLACE, (8080,), {"version": "v1"})
    route = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    body = route["route_config"]["virtual_hosts"][0]["routes"][0]["direct_response"]["body"]["inline_string"]
    assert json.loads(body) == {"app": "simulated", "node": "r1n1", "pod": "gw-a", "version": "v1"}


def test_only_ready_endpoints_are_handed_to_envoy() -> None:
    ready = Endpoint("10.244.2.2", "r1n2", "echo-1", True, True, False, (("http", 8080),))
    leaving = replace(ready, address="10.244.3.2", ready=False)
    (assignment,) = endpoints("echo.shop", [ready, leaving])["resources"]
    hosts = [e["endpoint"]["address"]["socket_address"] for e in assignment["endpoints"][0]["lb_endpoints"]]
    assert hosts == [{"address": "10.244.2.2", "port_value": 8080}]


def test_exec_understands_pilot_agents_request_and_nothing_else() -> None:
    command = ("pilot-agent", "request", "POST", "healthcheck/fail")
    assert read_request("istio-proxy", command) == ("POST", "/healthcheck/fail")
    assert read_request("app", command) is None
    assert read_request("istio-proxy", ("sh", "-c", "id", "x")) is None


def test_admin_answers_are_dechunked() -> None:
    raw = b"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nDRAINING\r\n1\r\n\n\r\n0\r\n\r\n"
    answer = parse(raw)
    assert (answer.status, answer.body) == (503, b"DRAINING\n")
    with pytest.raises(ValueError, match="not an HTTP"):
        parse(b"")


def test_go_durations_are_seconds() -> None:
    assert [seconds(d) for d in ("9s", "1m30s", "500ms")] == [9.0, 90.0, 0.5]
