"""MetalLB's decision as a table: who announces what, and in MetalLB's own words why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.node.announcer import (
    EXCLUDE_LABEL,
    AddressPool,
    Advertisement,
    Config,
    Peer,
    announces,
    read_config,
    speaker_rules,
)
from lab.node.facts import Endpoint, NodeFacts, Service

VIP = "203.0.113.1"
NODE = NodeFacts("r1n1", (("rackroll.io/rack", "r1"),))
READY = Endpoint("10.244.1.2", "r1n1", "gw-a", True, True, False, (("http2", 80),))
SERVICE = Service("istio-ingress", "gw", (), (VIP,), (), True, (READY,))
PEER = Peer("tor-r1", "10.90.1.1", 64501, 64601, 9, "fast", ({"matchLabels": {"rackroll.io/rack": "r1"}},))
OTHER = replace(
    PEER, name="tor-r2", address="10.90.2.1", nodes=({"matchLabels": {"rackroll.io/rack": "r2"}},)
)
CONFIG = Config(
    (AddressPool("gateways", ("203.0.113.0/28",)),), (PEER, OTHER), (Advertisement("gw", ("gateways",)),)
)
V16 = speaker_rules("quay.io/metallb/speaker:v0.16.1")
V0149 = speaker_rules("quay.io/metallb/speaker:v0.14.9")


def with_endpoints(*endpoints: Endpoint, local: bool = True) -> Service:
    return replace(SERVICE, endpoints=endpoints, local=local)


SERVING = replace(READY, ready=False, serving=True, terminating=True)
FAILED = replace(READY, ready=False, serving=False)
ELSEWHERE = replace(READY, node="r2n1")
EXCLUDED = replace(NODE, labels=((EXCLUDE_LABEL, "no"), *NODE.labels))
CORDONED = replace(NODE, cordoned=True)


@pytest.mark.parametrize(
    ("node", "service", "rules", "reason"),
    [
        (NODE, SERVICE, V16, ""),
        (NODE, with_endpoints(SERVING), V16, ""),
        (NODE, with_endpoints(FAILED), V16, "noLocalEndpoints"),
        (NODE, with_endpoints(ELSEWHERE), V16, "noLocalEndpoints"),
        (NODE, with_endpoints(ELSEWHERE, local=False), V16, ""),
        (NODE, with_endpoints(local=False), V16, "noEndpoints"),
        (EXCLUDED, SERVICE, V16, "nodeLabeledExcludeBalancers"),
        (EXCLUDED, SERVICE, replace(V16, ignore_exclude=True), ""),
        (CORDONED, SERVICE, V16, ""),
        (CORDONED, SERVICE, V0149, "nodeUnschedulable"),
        (replace(NODE, network_unavailable=True), SERVICE, V16, "nodeNetworkUnavailable"),
        (NODE, replace(SERVICE, vips=("198.51.100.7",)), V16, "noMatchingPool"),
    ],
)
def test_a_node_announces_or_says_metallbs_reason(node, service, rules, reason):  # type: ignore[no-untyped-def]
    (found,) = announces(node, service, CONFIG, rules)
    assert found.reason == reason
    assert found.peers == (frozenset({"tor-r1"}) if not reason else frozenset())


def test_a_service_without_an_address_is_not_announced() -> None:
    assert announces(NODE, replace(SERVICE, vips=()), CONFIG, V16) == ()


def test_only_peers_the_advertisement_names_hear_of_the_vip() -> None:
    config = replace(CONFIG, advertisements=(Advertisement("gw", peers=("tor-r2",)),))
    (found,) = announces(NODE, SERVICE, config, V16)
    assert (found.peers, found.reason) == (frozenset(), "noMatchingAdvertisement")


def test_a_drain_label_in_the_advertisements_node_selector_withdraws() -> None:
    keep = {"matchExpressions": [{"key": "example.com/draining", "operator": "DoesNotExist"}]}
    config = replace(CONFIG, advertisements=(Advertisement("gw", nodes=(keep,)),))
    draining = replace(NODE, labels=(("example.com/draining", ""), *NODE.labels))
    assert announces(NODE, SERVICE, config, V16)[0].peers == {"tor-r1"}
    assert announces(draining, SERVICE, config, V16)[0].reason == "noMatchingAdvertisement"


@pytest.mark.parametrize(
    ("image", "cordon", "status"),
    [
        ("quay.io/metallb/speaker:v0.14.8", False, False),
        ("quay.io/metallb/speaker:v0.14.9", True, False),
        ("quay.io/metallb/speaker:v0.15.0", False, True),
        ("quay.io/metallb/speaker:v0.16.1", False, True),
    ],
)
def test_the_speakers_version_decides_what_a_cordon_means(image: str, cordon: bool, status: bool) -> None:
    rules = speaker_rules(image)
    assert (rules.cordon_withdraws, rules.publishes_status) == (cordon, status)


def test_ignore_exclude_is_read_from_the_speakers_arguments() -> None:
    assert speaker_rules("speaker:v0.16.1", ["--ignore-exclude-lb=true"]).ignore_exclude


def test_resources_are_read_as_metallb_writes_them() -> None:
    config = read_config(
        [{"metadata": {"name": "gw"}, "spec": {"addresses": ["203.0.113.1-203.0.113.9"]}}],
        [
            {
                "metadata": {"name": "tor-r1"},
                "spec": {
                    "myASN": 64601,
                    "peerASN": 64501,
                    "peerAddress": "10.90.1.1",
                    "holdTime": "9s",
                    "bfdProfile": "fast",
                },
            }
        ],
        [{"metadata": {"name": "gw"}}],
    )
    assert config.peers == (Peer("tor-r1", "10.90.1.1", 64501, 64601, 9, "fast"),)
    assert config.pools[0].holds("203.0.113.9")
    assert not config.pools[0].holds("203.0.113.10")
    assert announces(NODE, SERVICE, config, V16)[0].peers == {"tor-r1"}
