from __future__ import annotations

from dataclasses import replace

from lab.node.facts import Endpoint, Port, Service, services
from lab.node.nat import Target, render, usable, vip_rules

HERE = Endpoint("10.244.1.2", "r1n1", "gw-a", True, True, False, (("http2", 8080),))
THERE = replace(HERE, address="10.244.2.2", node="r1n2")
LEAVING = replace(HERE, address="10.244.1.3", ready=False, serving=True, terminating=True)
SERVICE = Service("gw", "gw", (), ("203.0.113.1",), (Port("http2", 80),), True, (HERE, THERE))


def test_local_policy_translates_to_pods_of_this_node_only() -> None:
    (rule,) = vip_rules([SERVICE], "r1n1")
    assert (rule.vip, rule.port, rule.targets) == ("203.0.113.1", 80, (Target("10.244.1.2", 8080),))


def test_terminating_pods_serve_only_while_no_ready_one_does() -> None:
    assert usable([HERE, LEAVING]) == (HERE,)
    assert usable([LEAVING]) == (LEAVING,)
    assert usable([replace(LEAVING, serving=False)]) == ()


def test_an_unready_pod_that_is_not_leaving_gets_nothing() -> None:
    assert usable([replace(HERE, ready=False, serving=False)]) == ()


def test_a_vip_without_a_local_pod_is_dropped_and_never_sent_back() -> None:
    script = render(vip_rules([SERVICE], "r2n1"))
    assert "dnat to" not in script
    assert "ip daddr { 203.0.113.1 } counter drop" in script


def test_several_pods_share_new_connections() -> None:
    second = replace(HERE, address="10.244.1.9")
    script = render(vip_rules([replace(SERVICE, endpoints=(HERE, second))], "r1n1"))
    assert "numgen random mod 2 map { 0 : 10.244.1.2 . 8080, 1 : 10.244.1.9 . 8080 }" in script


def test_traffic_for_another_nodes_pod_comes_back_through_this_one() -> None:
    cluster = replace(SERVICE, local=False, endpoints=(THERE,))
    script = render(vip_rules([cluster], "r1n1"))
    assert "dnat to 10.244.2.2:8080" in script
    assert "ct status dnat oifname mgmt0 masquerade" in script


def test_the_table_is_replaced_in_one_transaction() -> None:
    lines = render(()).splitlines()
    assert lines[:3] == [
        "table ip rackroll_vips {}",
        "delete table ip rackroll_vips",
        "table ip rackroll_vips {",
    ]


def test_services_join_their_slices_and_missing_conditions_mean_ready() -> None:
    meta = {"name": "gw-x", "namespace": "gw", "labels": {"kubernetes.io/service-name": "gw"}}
    found = services(
        [
            {
                "metadata": {"name": "gw", "namespace": "gw"},
                "spec": {"ports": [{"name": "http2", "port": 80}], "externalTrafficPolicy": "Local"},
                "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}},
            }
        ],
        [
            {
                "metadata": meta,
                "ports": [{"name": "http2", "port": 8080}],
                "endpoints": [
                    {"addresses": ["10.244.1.2"], "nodeName": "r1n1", "targetRef": {"name": "gw-a"}}
                ],
            }
        ],
    )
    assert found == (replace(SERVICE, endpoints=(HERE,)),)
