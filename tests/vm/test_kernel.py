"""The kernel profile on kernels of their own: really set, and set again by the boot alone."""

from __future__ import annotations

import re
from pathlib import Path

from roles.kernel.profile import SYSCTL_FILE, boot_order, canonical, checked
from rollout.engine.ports import HostOutcome
from rollout.model.site import Site
from tests.vm.conftest import Machines
from tests.vm.machine import Shell

CONNTRACK = "/proc/sys/net/netfilter/nf_conntrack_max"
HASH_SIZE = "/sys/module/nf_conntrack/parameters/hashsize"
FOLDERS = "/etc/sysctl.d /run/sysctl.d /usr/local/lib/sysctl.d /usr/lib/sysctl.d /lib/sysctl.d"


def wanted(site: Site) -> dict[str, str]:
    return dict(checked(site.kernel).sysctls)


def live(shell: Shell, keys: list[str]) -> dict[str, str]:
    paths = {key: f"/proc/sys/{key.replace('.', '/')}" for key in keys}
    lines = shell.run("".join(f"tr -s '\\t' ' ' <{path}\n" for path in paths.values())).splitlines()
    return {key: canonical(key, line) for key, line in zip(keys, lines, strict=True)}


def test_each_machine_has_a_kernel_of_its_own(machines: Machines) -> None:
    own = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    ids = {machines.shell(node.name).boot_id() for node in machines.site.nodes}
    assert len({own, *ids}) == 1 + len(machines.site.nodes)


def test_the_product_configures_every_node_and_finds_nothing_left_to_do(
    machines: Machines, configured: tuple[HostOutcome, ...]
) -> None:
    assert [(outcome.node, outcome.error) for outcome in configured] == [
        (node.name, None) for node in machines.site.nodes
    ]
    again = machines.world.hosts.configure(machines.site.nodes, dry_run=False)
    assert [(outcome.changed, outcome.error) for outcome in again] == [((), None)] * len(again)


def test_after_a_reboot_every_sysctl_is_as_the_site_says(machines: Machines, rebooted: Shell) -> None:
    profile = wanted(machines.site)
    assert live(rebooted, list(profile)) == profile


def test_the_connection_tables_size_and_its_hash_survive_a_reboot(
    machines: Machines, rebooted: Shell
) -> None:
    profile = wanted(machines.site)
    assert rebooted.read(CONNTRACK) == profile["net.netfilter.nf_conntrack_max"] == "1048576"
    assert rebooted.read(HASH_SIZE) == profile["net.netfilter.nf_conntrack_buckets"] == "262144"


def test_the_boot_loads_ip_vs_and_it_balances_a_connection(rebooted: Shell) -> None:
    assert re.search(r"^ip_vs ", rebooted.run("cat /proc/modules"), re.M)
    assert rebooted.read("/proc/sys/net/ipv4/vs/conntrack") == "1"
    counted = rebooted.run(
        """
set -e
ip address replace 203.0.113.9/32 dev lo
mkdir -p /run/web && echo behind the service >/run/web/index.html
systemctl reset-failed ipvs-web 2>/dev/null || true
systemd-run --quiet --collect --unit ipvs-web python3 -m http.server --directory /run/web --bind 127.0.0.1 8081
ipvsadm -C
ipvsadm -A -t 203.0.113.9:80 -s rr
ipvsadm -a -t 203.0.113.9:80 -r 127.0.0.1:8081 -m
i=0; until curl -sf http://127.0.0.1:8081/ >/dev/null; do i=$((i+1)); [ $i -lt 120 ]; sleep 1; done
curl -sf --max-time 60 http://203.0.113.9/
ipvsadm -L -n -c
ipvsadm -C; systemctl stop ipvs-web; ip address del 203.0.113.9/32 dev lo
"""
    )
    assert "behind the service" in counted
    assert re.search(r"TCP .* 203\.0\.113\.9:80 +127\.0\.0\.1:8081", counted), counted


def test_the_journal_says_that_our_file_set_each_sysctl_at_boot(machines: Machines, rebooted: Shell) -> None:
    """systemd-sysctl names files as it reads them and values as it sets them; the last file to name a key wins."""
    journal = rebooted.run("journalctl -b -t systemd-sysctl -o cat --no-pager")
    setting = dict(re.findall(r"Setting '/proc/sys/([^']+)' to '([^']*)'", journal))
    files = sysctl_files(rebooted)
    read = [path for path in re.findall(r"Parsing (\S+)", journal) if path in files]
    assert SYSCTL_FILE in read, journal
    for key, value in wanted(machines.site).items():
        winner = [path for path in read if key in files[path]][-1]
        assert winner == SYSCTL_FILE, f"{key} is set by {winner}"
        assert canonical(key, setting[key.replace(".", "/")]) == value


def test_the_product_and_systemd_agree_in_which_order_files_are_read(rebooted: Shell) -> None:
    """The kernel role names the file that wins at boot; a wrong order would name an innocent one."""
    journal = rebooted.run("journalctl -b -t systemd-sysctl -o cat --no-pager")
    files = sysctl_files(rebooted)
    read = [path for path in re.findall(r"Parsing (\S+)", journal) if path in files]
    ours = [path for path in boot_order(files) if path in read]
    assert [Path(path).name for path in ours] == [Path(path).name for path in read]


def test_a_process_that_raises_the_connection_table_is_left_alone_and_one_that_lowers_it_is_not(
    machines: Machines, rebooted: Shell
) -> None:
    """As kube-proxy does it after the boot: no file names the value, so a process has set it."""
    node = next(node for node in machines.site.nodes if node.name == rebooted.host)
    rebooted.run("sysctl -q -w net.netfilter.nf_conntrack_max=2097152")
    (raised,) = machines.world.hosts.configure([node], dry_run=False)
    assert (raised.changed, raised.error) == ((), None)
    assert rebooted.read(CONNTRACK) == "2097152"
    rebooted.run("sysctl -q -w net.netfilter.nf_conntrack_max=4096")
    (lowered,) = machines.world.hosts.configure([node], dry_run=False)
    assert lowered.error is None
    assert lowered.changed
    assert rebooted.read(CONNTRACK) == "1048576"


def sysctl_files(shell: Shell) -> dict[str, dict[str, str]]:
    """Each file's keys and values, read by hand and not by the product."""
    listing = shell.run(
        f"for f in $(ls -d {' '.join(f'{folder}/*.conf' for folder in FOLDERS.split())} 2>/dev/null); do"
        " echo FILE $f; cat $f; echo; done"
    )
    files: dict[str, dict[str, str]] = {}
    for line in listing.splitlines():
        if line.startswith("FILE "):
            current = files.setdefault(line.removeprefix("FILE "), {})
        elif "=" in line and not line.lstrip().startswith(("#", ";")):
            key, _, value = line.partition("=")
            current[key.strip().removeprefix("-").replace("/", ".")] = value.strip()
    return files
