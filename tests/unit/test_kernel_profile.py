"""Kernel profiles: what is refused, and how a host's state is judged against one."""

from __future__ import annotations

import pytest

from roles.kernel.facts import KernelFacts
from roles.kernel.profile import (
    boot_order,
    canonical,
    checked,
    live_drift,
    modules,
    persisted_drift,
    render,
)
from rollout.errors import SiteInvalid
from rollout.model.site import KernelProfile

CONNTRACK = "net.netfilter.nf_conntrack_max"
PORTS = "net.ipv4.ip_local_port_range"
RESERVED = "net.ipv4.ip_local_reserved_ports"


def of(*pairs: tuple[str, str]) -> KernelProfile:
    return KernelProfile(pairs)


def test_tcp_tw_recycle_is_refused_with_its_reason() -> None:
    with pytest.raises(SiteInvalid, match=r"tcp_tw_recycle is refused: .*NAT.*4\.12"):
        checked(of(("net.ipv4.tcp_tw_recycle", "1")))


def test_an_ephemeral_range_over_the_node_ports_is_refused_without_reserved_ports() -> None:
    with pytest.raises(SiteInvalid) as refused:
        checked(of((PORTS, "1024 65535")))
    assert "overlaps the NodePorts 30000-32767" in refused.value.message
    assert f"{RESERVED}: 30000-32767" in refused.value.hint


@pytest.mark.parametrize(
    "reserved", ["30000-32767", "29000-40000", "30000-31000,31001-32767", "9100,30000-32767"]
)
def test_reserving_the_node_ports_allows_the_wide_range(reserved: str) -> None:
    assert dict(checked(of((PORTS, "1024 65535"), (RESERVED, reserved))).sysctls)[PORTS] == "1024 65535"


@pytest.mark.parametrize("reserved", ["30000-32766", "30001-32767", "30000-31000,31002-32767"])
def test_reserving_almost_all_node_ports_is_not_enough(reserved: str) -> None:
    with pytest.raises(SiteInvalid, match="overlaps"):
        checked(of((PORTS, "1024 65535"), (RESERVED, reserved)))


@pytest.mark.parametrize("ports", ["1024 29999", "32768 60999"])
def test_a_range_beside_the_node_ports_needs_no_reservation(ports: str) -> None:
    assert checked(of((PORTS, ports)))


@pytest.mark.parametrize(
    "pair",
    [("somaxconn", "1"), ("net.core.x;reboot", "1"), (PORTS, "1024"), (PORTS, "low high"), (RESERVED, "a-b")],
)
def test_a_malformed_line_is_refused_before_any_host_is_contacted(pair: tuple[str, str]) -> None:
    with pytest.raises(SiteInvalid):
        checked(of((PORTS, "32768 60999"), pair) if pair[0] != PORTS else of(pair))


def test_values_are_compared_as_the_kernel_prints_them() -> None:
    assert canonical(PORTS, "1024\t65535") == "1024 65535"
    assert canonical(RESERVED, "32000-32767,30000-31999, 9100") == "9100,30000-32767"


def test_a_live_value_that_differs_is_named_with_wanted_and_got() -> None:
    (drift,) = live_drift(of(("net.core.somaxconn", "65535")), {"net.core.somaxconn": "4096"})
    assert str(drift) == "net.core.somaxconn (live): wanted '65535', got '4096'"


def test_a_key_that_cannot_be_read_is_drift_not_success() -> None:
    (drift,) = live_drift(of((CONNTRACK, "1048576")), {})
    assert drift.got is None
    assert "got nothing" in str(drift)


def test_conntrack_raised_by_kube_proxy_is_left_alone_but_lowered_is_drift() -> None:
    wanted = of((CONNTRACK, "1048576"))
    assert not list(live_drift(wanted, {CONNTRACK: "2097152"}))
    assert list(live_drift(wanted, {CONNTRACK: "1048575"}))


def test_another_key_above_its_value_is_drift() -> None:
    assert list(live_drift(of(("net.core.somaxconn", "4096")), {"net.core.somaxconn": "65535"}))


def test_a_later_file_that_overrides_ours_at_boot_is_named() -> None:
    files = {
        "/etc/sysctl.d/99-rackroll.conf": {"net.core.somaxconn": "65535"},
        "/etc/sysctl.d/99-zz-local.conf": {"net/core/somaxconn": "128"},
    }
    (drift,) = persisted_drift(of(("net.core.somaxconn", "65535")), boot_order(files))
    assert (drift.where, drift.got) == ("/etc/sysctl.d/99-zz-local.conf", "128")


def test_sysctl_conf_is_read_last_and_etc_hides_the_same_name_elsewhere() -> None:
    files = {
        "/etc/sysctl.conf": {"a.b": "3"},
        "/usr/lib/sysctl.d/50-x.conf": {"a.b": "1"},
        "/etc/sysctl.d/50-x.conf": {"a.b": "2"},
    }
    assert list(boot_order(files)) == ["/etc/sysctl.d/50-x.conf", "/etc/sysctl.conf"]


def test_a_missing_file_is_drift_on_disk_even_when_the_live_value_is_right() -> None:
    (drift,) = persisted_drift(of(("net.core.somaxconn", "65535")), {})
    assert drift.where == "/etc/sysctl.d/99-rackroll.conf"


def test_what_is_rendered_reads_back_as_no_drift() -> None:
    wanted = checked(of((PORTS, "1024 65535"), (RESERVED, "30000-32767"), (CONNTRACK, "1048576")))
    output = ["file /etc/sysctl.d/99-rackroll.conf"]
    output += [f"set {line}" for line in render(wanted).splitlines() if not line.startswith("#")]
    output += [f"live {key} {value}" for key, value in wanted.sysctls]
    state = KernelFacts().process(output)
    assert not list(live_drift(wanted, state.live))
    assert not list(persisted_drift(wanted, boot_order(state.files)))


def test_conntrack_keys_ask_for_the_module_and_others_do_not() -> None:
    assert modules(of((CONNTRACK, "1"))) == ("nf_conntrack",)
    assert modules(of(("net.core.somaxconn", "1"))) == ()
    assert modules(of(("net.ipv4.vs.conntrack", "1"))) == ("ip_vs",)
    assert modules(of((CONNTRACK, "1"), ("net.ipv4.vs.conntrack", "1"))) == ("nf_conntrack", "ip_vs")
