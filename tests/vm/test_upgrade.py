"""The very same upgrade as on the embedded lab, node by node, under traffic from outside.

The last of the room: its site file still asks for the version that the bringup installed.
"""

from __future__ import annotations

from tests.vm.conftest import Machines
from tests.vm.load import load, lost
from tests.vm.rackroll import Rackroll


def test_an_upgrade_node_by_node_loses_no_request(brought_up: Rackroll, machines: Machines) -> None:
    with load(machines) as running:
        before = running.latest
        brought_up.apply("plan", "upgrade", "--to", "istio=1.31.1")
        assert lost(before, running.latest) == (0, 0)
    assert brought_up.json("status")["state"] == "done"
