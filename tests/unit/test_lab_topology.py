"""The lab's wiring follows from the site file alone."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_interface
from pathlib import Path

import pytest

from lab.fabric import frr, wiring
from lab.state import Role
from lab.topology import OOB_HOST, Topology, topology_of
from rollout.errors import RackrollError
from rollout.model.site import Site
from rollout.site.load import load_site

INVENTORY = Path(__file__).parents[2] / "inventory"


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(INVENTORY / "lab")


@pytest.fixture(scope="module")
def topology(site: Site) -> Topology:
    return topology_of(site)


def test_every_host_of_the_site_is_there_with_spine_client_and_time_server(topology: Topology) -> None:
    roles = {role: len(topology.with_role(role)) for role in Role}
    assert roles == {Role.NODE: 6, Role.TOR: 2, Role.SPINE: 1, Role.CLIENT: 1, Role.TIME: 1}


def test_the_time_server_has_the_address_that_the_site_gives_its_nodes(topology: Topology) -> None:
    assert topology.host("time").oob_address == IPv4Address("10.255.0.5")


def test_no_two_hosts_share_an_out_of_band_address(topology: Topology) -> None:
    addresses = [host.oob_address for host in topology.hosts]
    assert len(set(addresses)) == len(addresses)


def test_nodes_tors_and_client_are_reached_at_the_sites_ssh_addresses(site: Site, topology: Topology) -> None:
    forwards = {host.name: str(host.forward.address) for host in topology.hosts if host.forward}
    expected = {node.name: node.ssh.address for node in site.nodes}
    expected |= {switch.name: switch.ssh.address for switch in site.switches}
    assert site.probe.ssh is not None
    assert forwards == {**expected, site.probe.name: site.probe.ssh.address}


def test_a_node_leaves_its_rack_through_its_own_tor(site: Site, topology: Topology) -> None:
    for rack in site.racks:
        for node in rack.nodes:
            assert topology.host(node.name).gateway == rack.switch.fabric_address


def test_no_interface_is_named_twice_in_one_host_and_none_is_too_long(topology: Topology) -> None:
    for host in (OOB_HOST, *(host.name for host in topology.hosts)):
        names = [end.interface for end in topology.ends(host)]
        assert len(set(names)) == len(names)
        assert all(len(name) <= 15 for name in names)


def test_every_cable_end_is_made_inside_a_namespace_of_the_lab(topology: Topology) -> None:
    ours = set(wiring.namespaces(topology))
    for line in wiring.cable_lines(topology):
        words = line.split()
        named = [words[at + 1] for at, word in enumerate(words) if word == "netns"]
        assert len(named) == 2
        assert set(named) <= ours


def test_the_two_ends_of_an_uplink_are_one_slash_31(topology: Topology) -> None:
    for uplink in topology.uplinks:
        assert (
            ip_interface(f"{uplink.tor_address}/31").network
            == ip_interface(f"{uplink.spine_address}/31").network
        )


def test_a_tor_starts_with_its_uplink_and_without_any_node(site: Site, topology: Topology) -> None:
    for switch in site.switches:
        config = frr.config(topology, topology.host(switch.name))
        assert f"router bgp {switch.asn}" in config
        assert config.count("remote-as") == 1
        assert not any(str(node.fabric_address) in config for node in site.nodes)


def test_a_node_starts_without_bgp(topology: Topology) -> None:
    assert "router bgp" not in frr.config(topology, topology.host("r1n1"))


def test_the_spine_peers_with_every_tor_under_an_asn_of_its_own(site: Site, topology: Topology) -> None:
    spine = topology.with_role(Role.SPINE)[0]
    config = frr.config(topology, spine)
    assert config.count("remote-as") == len(site.racks)
    assert spine.asn not in {site.bgp.node_asn, *(switch.asn for switch in site.switches)}


def test_a_production_site_is_refused_with_the_field_to_change() -> None:
    with pytest.raises(RackrollError, match="cannot embody") as refused:
        topology_of(load_site(INVENTORY / "fra1"))
    assert refused.value.hint


def _first_node(site: Site, **changes: object) -> Site:
    rack = site.racks[0]
    node = replace(rack.nodes[0], **changes)  # type: ignore[arg-type]
    return replace(site, racks=(replace(rack, nodes=(node, *rack.nodes[1:])), *site.racks[1:]))


def test_a_node_outside_its_tors_subnet_is_refused(site: Site) -> None:
    with pytest.raises(RackrollError, match=r"r1n1 has fabric address 10\.99"):
        topology_of(_first_node(site, fabric_address=IPv4Address("10.99.0.1")))


def test_an_ipv6_fabric_is_refused(site: Site) -> None:
    with pytest.raises(RackrollError, match="IPv6"):
        topology_of(_first_node(site, fabric_address=IPv6Address("2001:db8::1")))


def test_an_ssh_address_off_the_loopback_is_refused(site: Site) -> None:
    ssh = replace(site.racks[0].nodes[0].ssh, address="192.0.2.1")
    with pytest.raises(RackrollError, match="not on loopback"):
        topology_of(_first_node(site, ssh=ssh))


def test_a_login_other_than_root_is_refused(site: Site) -> None:
    ssh = replace(site.racks[0].nodes[0].ssh, user="admin")
    with pytest.raises(RackrollError, match="ssh user is admin"):
        topology_of(_first_node(site, ssh=ssh))


@pytest.mark.parametrize("name", ["spine", "time", "oob"])
def test_a_node_called_like_one_of_the_labs_own_hosts_is_refused(site: Site, name: str) -> None:
    with pytest.raises(RackrollError, match=f"two lab hosts called {name}"):
        topology_of(_first_node(site, name=name))


@pytest.mark.parametrize("server", ["ntp.example.org", "192.0.2.123", "10.255.0.254"])
def test_a_time_server_off_the_out_of_band_network_is_refused(site: Site, server: str) -> None:
    with pytest.raises(RackrollError, match=r"clock\.servers"):
        topology_of(replace(site, clock=replace(site.clock, servers=(server,))))
