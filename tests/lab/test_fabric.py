"""The lab's hosts and fabric, for real: network namespaces, sshd, chronyd, FRR. Needs root."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import netns, services
from lab.host.enter import command
from lab.lifecycle import down, status, up
from lab.process import kill
from lab.sitecopy import copy_site
from lab.state import LabState, read_state
from lab.status import Truth
from rollout.model.site import Site
from rollout.site.load import load_site
from tests.lab.fabric_boxes import (
    FLOWS,
    SERVER,
    VIP,
    announce,
    eventually,
    inside,
    known_name,
    next_hops,
    ssh,
    vtysh,
)

pytestmark = pytest.mark.lab
INVENTORY = Path(__file__).parents[2] / "inventory" / "lab"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("fabric") / "site"
    return load_site(copy_site(INVENTORY, folder, name="labfab", loopback="127.91."))


@pytest.fixture(scope="module")
def lab(site: Site) -> Iterator[LabState]:
    """Without the lab daemon: its speakers own the nodes' BGP, and here it is configured by hand."""
    began = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "installed", lambda module: module != services.DAEMON)
        try:
            state = up(site, progress=lambda _line: None)
            assert time.monotonic() - began < 15
            yield state
        finally:
            down(site.folder)


@pytest.mark.usefixtures("lab")
def test_every_box_of_the_site_answers_over_ssh_with_its_own_name(site: Site) -> None:
    boxes = {node.name: node.ssh for node in site.nodes}
    boxes |= {switch.name: switch.ssh for switch in site.switches}
    assert {name: ssh(access, "hostname").stdout.strip() for name, access in boxes.items()} == {
        name: name for name in boxes
    }
    assert site.probe.ssh
    assert ssh(site.probe.ssh, "hostname").stdout.strip() == site.probe.name


@pytest.mark.usefixtures("lab")
def test_a_host_that_shows_another_key_than_known_is_refused(site: Site, tmp_path: Path) -> None:
    first, second = site.nodes[0].ssh, site.nodes[1].ssh
    known = {
        line.split()[0]: line.split(maxsplit=1)[1] for line in first.known_hosts.read_text().splitlines()
    }
    swapped = tmp_path / "known_hosts"
    swapped.write_text(f"{known_name(first)} {known[known_name(second)]}\n")
    refused = ssh(first, "hostname", swapped)
    assert refused.returncode == 255
    assert "Host key verification failed" in refused.stderr
    swapped.write_text("")
    assert ssh(first, "hostname", swapped).returncode == 255


def test_a_second_up_leaves_every_process_as_it_was(site: Site, lab: LabState) -> None:
    began = time.monotonic()
    said: list[str] = []
    assert up(site, progress=said.append) == read_state(site.folder)
    assert [host.init for host in read_state(site.folder).hosts] == [host.init for host in lab.hosts]
    assert said == ["the lab is already up"]
    assert time.monotonic() - began < 2


@pytest.mark.usefixtures("lab")
def test_status_says_what_is_real_and_what_is_simulated(site: Site) -> None:
    seen = status(site.folder)
    truths = {part.name: part.truth for part in seen.parts}
    assert seen.up, [part for part in seen.parts if part.expected and part.running < part.expected]
    assert all(truths[name] is Truth.REAL for name in ("sshd", "chronyd", "FRR BGP", "FRR BFD"))
    assert truths["resilient hashing"] is Truth.SIMULATED
    assert truths["machine-wide sysctls"] is Truth.SIMULATED


def test_a_machine_wide_sysctl_is_the_hosts_own_file_and_the_machine_keeps_its_value(lab: LabState) -> None:
    machine = Path("/proc/sys/net/netfilter/nf_conntrack_max"), Path("/proc/sys/vm/swappiness")
    before = [path.read_text() for path in machine]
    done = inside(lab, "r1n3", "sysctl", "-w", "net.netfilter.nf_conntrack_max=777", "vm.swappiness=7")
    assert done.returncode == 0, done.stderr
    values = inside(lab, "r1n3", "sysctl", "-n", "net.netfilter.nf_conntrack_max", "vm.swappiness").stdout
    assert values.split() == ["777", "7"]
    assert inside(lab, "r2n3", "sysctl", "-n", "net.netfilter.nf_conntrack_max").stdout.strip() != "777"
    assert [path.read_text() for path in machine] == before


def test_a_network_sysctl_is_the_kernels_own_in_the_hosts_namespace(lab: LabState) -> None:
    assert inside(lab, "r1n3", "sysctl", "-w", "net.core.somaxconn=1234").returncode == 0
    assert inside(lab, "r1n3", "cat", "/proc/sys/net/core/somaxconn").stdout.strip() == "1234"
    assert Path("/proc/sys/net/core/somaxconn").read_text().strip() != "1234"
    assert inside(lab, "r1n3", "sysctl", "-n", "net.ipv4.ip_forward").stdout.strip() == "1"


def test_persisted_sysctls_apply_as_after_a_reboot(lab: LabState) -> None:
    write = "echo net.netfilter.nf_conntrack_max=888 > /etc/sysctl.d/90-x.conf && sysctl --system"
    done = inside(lab, "r2n3", "sh", "-c", write)
    assert done.returncode == 0, done.stderr
    assert inside(lab, "r2n3", "sysctl", "-n", "net.netfilter.nf_conntrack_max").stdout.strip() == "888"
    assert not Path("/etc/sysctl.d/90-x.conf").exists()


def test_a_host_can_neither_write_other_kernel_keys_nor_set_the_clock(site: Site, lab: LabState) -> None:
    key = "kernel/ctrl-alt-del"
    before = Path("/proc/sys", key).read_text()
    for attempt in (f"echo 1 > /proc/sys/{key}", "date -s '10 minutes ago'", "mknod /tmp/disk b 254 0"):
        assert inside(lab, "r1n1", "sh", "-c", attempt).returncode != 0, attempt
        assert ssh(site.node("r1n1").ssh, attempt).returncode != 0, attempt
    assert Path("/proc/sys", key).read_text() == before


def test_a_host_sees_a_site_folder_below_tmp_read_only_and_nothing_else_of_tmp(
    site: Site, lab: LabState, tmp_path: Path
) -> None:
    """A clone of the repository in /tmp must do: its virtual environment runs inside the hosts."""
    assert inside(lab, site.probe.name, "cat", str(site.folder / "site.yaml")).returncode == 0
    assert inside(lab, site.probe.name, "touch", str(site.folder / "x")).returncode != 0
    assert inside(lab, site.probe.name, "ls", str(tmp_path)).returncode != 0


def test_a_host_has_one_proc_and_only_its_net_sysctls_are_open(lab: LabState) -> None:
    """A second whole proc anywhere in its root would have a writable /proc/sys: the machine's own."""
    lines = [line.split() for line in inside(lab, "r1n1", "cat", "/proc/self/mountinfo").stdout.splitlines()]
    proc = {
        line[4]: (line[3], line[5].split(",")[0]) for line in lines if line[line.index("-") + 1] == "proc"
    }
    assert [point for point, (root, _) in proc.items() if root == "/"] == ["/proc"]
    assert proc["/proc/sys"] == ("/sys", "ro")
    writable = {point for point, (root, mode) in proc.items() if root != "/" and mode == "rw"}
    assert writable == {"/proc/sys/net"}


def test_nftables_and_conntrack_work_in_a_node_and_stay_in_it(lab: LabState) -> None:
    assert inside(lab, "r1n1", "nft", "add", "table", "ip", "fabric-test").returncode == 0
    assert "fabric-test" in inside(lab, "r1n1", "nft", "list", "tables").stdout
    assert inside(lab, "r1n1", "conntrack", "-L").returncode == 0
    assert "fabric-test" not in inside(lab, "r1n2", "nft", "list", "tables").stdout
    assert (
        "fabric-test" not in subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout
    )


def test_a_node_follows_the_time_server_after_debians_own_restart(site: Site, lab: LabState) -> None:
    server = site.clock.servers[0]
    configure = f"echo 'server {server} iburst' >> /etc/chrony/chrony.conf && /etc/init.d/chrony restart"
    assert inside(lab, "r1n2", "sh", "-c", configure).returncode == 0
    synced = inside(lab, "r1n2", "chronyc", "waitsync", "20", "0.05", "0", "0.5")
    assert synced.returncode == 0, synced.stdout
    assert server in inside(lab, "r1n2", "chronyc", "-n", "tracking").stdout


@pytest.mark.usefixtures("lab")
def test_frr_reload_finds_a_fresh_tor_as_its_file_says(site: Site) -> None:
    tor = site.switches[0].ssh
    tested = ssh(tor, "/usr/lib/frr/frr-reload.py --test /etc/frr/frr.conf")
    assert tested.returncode == 0, tested.stderr
    assert "Lines To" not in tested.stdout
    more = "cp /etc/frr/frr.conf /tmp/x && echo 'ip prefix-list x permit 192.0.2.0/24' >> /tmp/x"
    changed = ssh(tor, f"{more} && /usr/lib/frr/frr-reload.py --test /tmp/x")
    assert "Lines To Add" in changed.stdout


@pytest.fixture
def announced(site: Site, lab: LabState) -> Iterator[LabState]:
    """Both gateway nodes of the first rack announce a VIP and echo their name on it."""
    rack = site.racks[0]
    nodes = [node for node in rack.nodes if node.gateway]
    peers = [f"neighbor {node.fabric_address} remote-as {site.bgp.node_asn}" for node in nodes]
    tor = ["configure terminal", f"router bgp {rack.switch.asn}", *peers]
    vtysh(lab, rack.switch.name, *tor, "address-family ipv4 unicast", "maximum-paths 16")
    servers = []
    for node in nodes:
        assert inside(lab, node.name, "ip", "addr", "add", f"{VIP}/32", "dev", "lo").returncode == 0
        argv = command(lab, node.name, ["/usr/bin/python3", "-c", SERVER], die_with_parent=True)
        servers.append(subprocess.Popen(argv))
        speak = ["configure terminal", f"router bgp {site.bgp.node_asn}", "no bgp ebgp-requires-policy"]
        speak += [
            "no bgp network import-check",
            f"neighbor {rack.switch.fabric_address} remote-as {rack.switch.asn}",
        ]
        vtysh(lab, node.name, *speak)
        announce(lab, site, node.name, yes=True)
    yield lab
    for server in servers:
        server.kill()
        server.wait()


def test_flows_stay_where_they_are_when_another_next_hop_returns(site: Site, announced: LabState) -> None:
    """The outside client reaches the VIP over two nodes; 40 flows opened while one is away outlive its return."""
    tor, leaver, stayer = site.racks[0].switch.name, "r1n1", "r1n2"
    assert eventually(lambda: next_hops(announced, tor) == 2, within=20)
    assert eventually(lambda: next_hops(announced, "spine") == 1, within=10)
    argv = command(announced, site.probe.name, ["/usr/bin/python3", "-c", FLOWS], die_with_parent=True)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:

        def answers(word: str) -> list[str]:
            assert client.stdin
            assert client.stdout
            print(word, file=client.stdin, flush=True)
            return client.stdout.readline().split()

        assert set(answers("open")) == {leaver, stayer}
        announce(announced, site, leaver, yes=False)
        assert eventually(lambda: next_hops(announced, tor) == 1, within=5)
        assert set(answers("open")) == {stayer}
        announce(announced, site, leaver, yes=True)
        assert eventually(lambda: next_hops(announced, tor) == 2, within=5)
        for _ in range(6):
            time.sleep(0.5)
            assert set(answers("again")) == {stayer}
        assert set(answers("fresh")) == {leaver, stayer}
        client.stdin.close()  # type: ignore[union-attr]


@pytest.mark.usefixtures("lab")
def test_up_starts_again_what_has_died(site: Site) -> None:
    before = read_state(site.folder)
    forwarder = before.service(services.FORWARD)
    assert forwarder
    kill(forwarder.process)
    kill(before.host("r2n3").init)
    assert eventually(lambda: not status(site.folder).up, within=5)
    after = up(site, progress=lambda _line: None)
    assert status(site.folder).up
    assert ssh(site.node("r2n3").ssh, "hostname").stdout.strip() == "r2n3"
    untouched = [host.init for host in before.hosts if host.name != "r2n3"]
    assert [host.init for host in after.hosts if host.name != "r2n3"] == untouched


def test_down_leaves_no_namespace_process_listener_or_file(site: Site, lab: LabState) -> None:
    names = [host.namespace for host in lab.hosts]
    living = [process for group in netns.members(names).values() for process in group]
    assert len(living) > len(names)
    assert down(site.folder)
    assert not netns.existing(names)
    assert not [process for process in living if process.alive]
    assert "127.91." not in subprocess.run(["ss", "-Hltn"], capture_output=True, text=True).stdout
    assert not (site.folder / ".lab").exists()
    assert status(site.folder).parts == ()
    assert not down(site.folder)
