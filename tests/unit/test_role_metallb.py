"""What the metallb role tells the engine, as golden values of the lab's site file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from roles.metallb.role import MetalLbRole
from rollout.model.observed import ChartState
from rollout.model.role import SubjectRole
from rollout.model.site import Site
from rollout.site.load import load_site

LAB = Path(__file__).resolve().parents[2] / "inventory" / "lab"


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(LAB)


def test_the_role_fits_the_engines_protocol(site: Site) -> None:
    role: SubjectRole = MetalLbRole(site)
    assert [(step.release, step.stage) for step in role.charts()] == [("metallb", "control-plane")]
    assert role.control_plane() == ("metallb-system", "metallb-controller")
    assert role.source() == site.metallb.charts


def test_every_node_gets_its_rack_and_only_gateway_nodes_the_gateway_label(site: Site) -> None:
    labels = {
        o["metadata"]["name"]: o["metadata"]["labels"] for o in MetalLbRole(site).objects("node-labels")
    }
    assert labels == {
        "r1n1": {"rackroll.io/rack": "r1", "rackroll.io/gateway": "true"},
        "r1n2": {"rackroll.io/rack": "r1", "rackroll.io/gateway": "true"},
        "r1n3": {"rackroll.io/rack": "r1"},
        "r2n1": {"rackroll.io/rack": "r2", "rackroll.io/gateway": "true"},
        "r2n2": {"rackroll.io/rack": "r2", "rackroll.io/gateway": "true"},
        "r2n3": {"rackroll.io/rack": "r2"},
    }


def test_objects_come_in_an_order_in_which_nothing_names_what_is_not_there_yet(site: Site) -> None:
    kinds = [o["kind"] for o in MetalLbRole(site).objects("pools")]
    assert kinds == ["BFDProfile", "IPAddressPool", "BGPPeer", "BGPPeer", "BGPAdvertisement"]


def test_pool_peer_and_advertisement_read_as_the_site_says(site: Site) -> None:
    profile, pool, peer, _, advertisement = MetalLbRole(site).objects("pools")
    namespace = "metallb-system"
    assert profile["spec"] == {"receiveInterval": 150, "transmitInterval": 150, "detectMultiplier": 3}
    assert pool["metadata"] == {"name": "gateways", "namespace": namespace}
    assert pool["spec"] == {"addresses": ["203.0.113.0/28"], "autoAssign": False}
    assert peer == {
        "apiVersion": "metallb.io/v1beta2",
        "kind": "BGPPeer",
        "metadata": {"name": "tor-r1", "namespace": namespace},
        "spec": {
            "myASN": 64601,
            "peerASN": 64501,
            "peerAddress": "10.90.1.1",
            "holdTime": "9s",
            "keepaliveTime": "3s",
            "bfdProfile": "fabric",
            "nodeSelectors": [{"matchLabels": {"rackroll.io/rack": "r1", "rackroll.io/gateway": "true"}}],
        },
    }
    assert advertisement["spec"] == {
        "ipAddressPools": ["gateways"],
        "peers": ["tor-r1", "tor-r2"],
        "nodeSelectors": [{"matchLabels": {"rackroll.io/gateway": "true"}}],
    }


def test_without_bfd_no_profile_is_made_and_no_peer_names_one(site: Site) -> None:
    plain = replace(site, bgp=replace(site.bgp, bfd=None))
    objects = MetalLbRole(plain).objects("pools")
    assert "BFDProfile" not in [o["kind"] for o in objects]
    assert all("bfdProfile" not in o["spec"] for o in objects)


def test_a_rack_without_gateways_has_no_peer(site: Site) -> None:
    first, second = site.racks
    bare = replace(second, nodes=tuple(replace(node, gateway=False) for node in second.nodes))
    objects = MetalLbRole(replace(site, racks=(first, bare))).objects("pools")
    assert [o["metadata"]["name"] for o in objects if o["kind"] == "BGPPeer"] == ["tor-r1"]
    assert objects[-1]["spec"]["peers"] == ["tor-r1"]


def test_speakers_never_restart_together_and_the_bgp_backend_is_pinned(site: Site) -> None:
    role = MetalLbRole(site)
    values = role.values(role.charts()[0], "0.16.1")
    assert values["speaker"]["updateStrategy"] == {"type": "OnDelete"}
    assert values["speaker"]["frr"] == {"enabled": True}
    assert values["frrk8s"] == {"enabled": False}
    assert values["speaker"]["ignoreExcludeLB"] is False


def test_an_unknown_part_names_the_known_ones(site: Site) -> None:
    with pytest.raises(KeyError, match="node-labels, pools"):
        MetalLbRole(site).objects("peers")


@pytest.mark.parametrize(
    ("status", "version"), [("deployed", "0.16.1"), ("failed", "0.16.1"), ("pending-install", None)]
)
def test_a_release_counts_as_installed_once_it_was_deployed(
    site: Site, status: str, version: str | None
) -> None:
    release = ChartState("metallb", "metallb-system", "metallb", "0.16.1", status, 1)
    assert MetalLbRole(site).installed_version([release]) == version


def test_a_release_of_that_name_in_another_namespace_is_not_ours(site: Site) -> None:
    other = ChartState("metallb", "elsewhere", "metallb", "0.16.1", "deployed", 1)
    assert MetalLbRole(site).installed_version([other]) is None
