"""A node's reboot inside its node transaction: another boot, seen by its own id, while everybody else serves."""

from __future__ import annotations

from tests.vm.conftest import Machines
from tests.vm.load import load, lost
from tests.vm.rackroll import Rackroll

LAST = "r2n2"


def test_a_reboot_is_a_node_transaction_that_ends_in_another_boot_and_loses_no_request(
    brought_up: Rackroll, machines: Machines
) -> None:
    shell = machines.shell(LAST)
    boot = shell.boot_id()
    with load(machines) as running:
        before = running.latest
        brought_up.apply("plan", "maintain", "--reboot", "--limit", LAST)
        assert lost(before, running.latest) == (0, 0)
    assert shell.boot_id() != boot
    report = brought_up.json("report")
    assert report["lowest"] >= report["floor"] == len(machines.site.gateway_nodes) - 1


def test_the_rebooted_node_serves_again_with_the_settings_it_had(
    brought_up: Rackroll, machines: Machines
) -> None:
    """What makes it a gateway came back by itself: files of the product, units of the machine, pods of the API."""
    assert brought_up.changed_by("plan", "bringup") == []
    assert int(machines.shell(LAST).run("pgrep -c envoy")) >= 1


def test_a_command_that_obviously_reboots_is_refused_before_anything_is_touched(brought_up: Rackroll) -> None:
    code, said = brought_up.code("plan", "maintain", "--", "systemctl", "reboot")
    assert code == 3
    assert "PLAN-COMMAND-02" in said
    assert "--reboot" in said
