"""The lab of virtual machines, as far as it is text: site, seeds, networks, and what Vagrant says."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest
import yaml

from lab.blueprint import Blueprint, draw, lay_out
from lab.state import Role
from lab.vm import wiring
from lab.vm.hypervisor import oob_network
from lab.vm.machines import TOPOLOGY, Machines, read_machines
from lab.vm.seed import Seed, write_seed
from lab.vm.sitefile import BASE, refuse_foreign, write_site
from lab.vm.vagrant import Reached, parse_ssh_config
from roles.kernel.profile import checked, modules
from rollout.errors import RackrollError
from rollout.site.load import load_site

SSH_CONFIG = """Host r1n1
  HostName 10.255.0.8
  User root
  Port 22
  StrictHostKeyChecking no

Host tor-r1
  HostName 10.255.0.7
  Port 2222
"""


@pytest.fixture
def machines() -> Machines:
    return read_machines()


@pytest.fixture
def blueprint(machines: Machines, tmp_path: Path) -> Blueprint:
    return draw(load_site(write_site(machines, tmp_path / "vm")))


def test_the_generated_site_is_read_by_the_products_own_reader(blueprint: Blueprint) -> None:
    site = blueprint.site
    assert [node.name for node in site.nodes] == ["r1n1", "r1n2", "r2n1", "r2n2"]
    assert [str(switch.ssh.address) for switch in site.switches] == ["127.88.1.1", "127.88.2.1"]
    assert all(node.ssh.known_hosts.name == "known_hosts" for node in site.nodes)


def test_somebodys_own_site_is_never_overwritten(blueprint: Blueprint) -> None:
    refuse_foreign(blueprint.folder)
    with pytest.raises(RackrollError, match="did not make"):
        refuse_foreign(BASE)


def test_its_kernel_profile_is_legal_and_loads_ip_vs_before_the_keys_that_need_it(
    blueprint: Blueprint,
) -> None:
    profile = checked(blueprint.site.kernel)
    assert modules(profile) == ("nf_conntrack", "ip_vs")


def test_every_mac_and_every_cable_end_is_there_once(machines: Machines) -> None:
    macs = [machine.mgmt for machine in machines.machines]
    macs += [port.mac for machine in machines.machines for port in machine.ports]
    assert len(macs) == len(set(macs))


def test_both_ends_of_a_cable_name_each_others_udp_port() -> None:
    raw = yaml.safe_load(TOPOLOGY.read_text())["machines"].values()
    ends: dict[str, list[tuple[int, int]]] = {}
    for port in (port for machine in raw for port in machine["ports"].values() if "cable" in port):
        ends.setdefault(port["cable"], []).append(tuple(port["udp"]))
    assert len(ends) == 4
    for near, far in ends.values():
        assert near == far[::-1]


def test_a_machine_that_no_rack_names_is_refused(tmp_path: Path) -> None:
    odd = tmp_path / "topology.yaml"
    odd.write_text(TOPOLOGY.read_text().replace("name: r2n2,", "name: r2n9,"))
    with pytest.raises(RackrollError, match="r2n2, r2n9"):
        read_machines(odd)


def test_a_seed_brings_the_host_key_that_known_hosts_already_has(
    blueprint: Blueprint, machines: Machines, tmp_path: Path
) -> None:
    lay_out(blueprint)
    names = _seeded(blueprint, machines, "r1n1", tmp_path)
    assert names["etc/ssh/lab_host_ed25519_key"].mode == 0o600
    assert "etc/default/chrony" not in names, "chronyd -x would leave the machine's own clock alone"
    known = (blueprint.folder / ".lab" / "known_hosts").read_text()
    assert "[127.88.1.11]:2222 ssh-ed25519 " in known


def test_a_tor_bridges_its_nodes_and_has_its_uplink_beside(
    blueprint: Blueprint, machines: Machines, tmp_path: Path
) -> None:
    lay_out(blueprint)
    _seeded(blueprint, machines, "tor-r1", tmp_path)
    with tarfile.open(tmp_path / "tor-r1.tar") as tar:
        texts = {entry.name: _text(tar, entry) for entry in tar.getmembers()}
    folder = "etc/systemd/network"
    assert "Bridge=rack0" in texts[f"{folder}/20-swp2.network"]
    assert "Address=10.90.1.1/24" in texts[f"{folder}/20-rack0.network"]
    assert "Address=10.255.128.1/31" in texts[f"{folder}/20-up0.network"]
    assert "MACAddress=52:54:00:91:01:00" in texts[f"{folder}/10-up0.link"]


def _seeded(blueprint: Blueprint, machines: Machines, name: str, folder: Path) -> dict[str, tarfile.TarInfo]:
    host = blueprint.topology.host(name)
    machine = next(each for each in machines.machines if each.name == name)
    path = folder / f"{name}.tar"
    write_seed(path, blueprint.share(host) / "boot", Seed(blueprint.topology, host, machine))
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as tar:
        return {entry.name: entry for entry in tar.getmembers()}


def _text(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> str:
    file = tar.extractfile(entry)
    assert file is not None
    return file.read().decode()


def test_the_out_of_band_network_has_an_address_for_each_machine_and_no_way_out(
    blueprint: Blueprint, machines: Machines
) -> None:
    text = oob_network(machines, blueprint.topology.hosts)
    assert text.count("<host mac=") == 6
    assert "mode='open'" in text, "any other mode writes firewall rules"
    first, last = re.findall(r"(?:start|end)='[0-9.]*\.(\d+)'", text)
    assert int(last) - int(first) >= len(machines.machines), "dnsmasq gives no more leases than the range has"


def test_only_the_hosts_beside_the_machines_are_namespaces(blueprint: Blueprint, machines: Machines) -> None:
    here = wiring.around(blueprint.topology, machines)
    assert {host.role for host in here.hosts} == {Role.TIME, Role.SPINE, Role.CLIENT}
    uplinks = [cable for cable in here.cables if cable.near.bridge in machines.bridges]
    assert [(cable.near.bridge, cable.far.interface) for cable in uplinks] == [
        ("up1", "down1"),
        ("up2", "down2"),
    ]


def test_ssh_config_is_read_host_by_host() -> None:
    assert parse_ssh_config(SSH_CONFIG) == {
        "r1n1": Reached("10.255.0.8", 22),
        "tor-r1": Reached("10.255.0.7", 2222),
    }


def test_ssh_config_without_an_address_is_refused() -> None:
    with pytest.raises(RackrollError, match="not understood"):
        parse_ssh_config("Host r1n1\n  Port 22\n")
