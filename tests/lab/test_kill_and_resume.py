"""kill -9 in the middle of a node transaction, then resume: nothing lost, nothing left behind."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.load.process import RunningLoad, from_outside, load_argv
from lab.sitecopy import copy_site
from rollout.site.load import load_site
from tests.lab.rackroll_command import ROOT, Site

pytestmark = pytest.mark.lab

EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
OWNER = "rackroll.io/run"


@pytest.fixture
def serving_site(tmp_path: Path) -> Iterator[Site]:
    """A lab of its own, brought up and serving the echo service."""
    site = Site(copy_site(ROOT / "inventory" / "lab", tmp_path / "kill", name="kill", loopback="127.86."))
    try:
        site.run("lab", "up")
        site.serve_echo()
        site.run("plan", "bringup", "--out", str(tmp_path / "bringup.json"))
        site.run("apply", str(tmp_path / "bringup.json"), "--yes")
        yield site
    finally:
        site.run("lab", "down")


def wait_for(what: str, seen: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while not seen():
        assert process.poll() is None, f"ended before {what}:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"never saw {what}:\n{log.read_text()}"
        time.sleep(0.05)


def cordoned(site: Site) -> list[str]:
    return [n["metadata"]["name"] for n in site.objects("/api/v1/nodes") if n["spec"].get("unschedulable")]


def marks(site: Site) -> list[tuple[str, str]]:
    """Every cordon, exclude label and owner mark on any node."""
    found = [(name, "cordon") for name in cordoned(site)]
    for node in site.objects("/api/v1/nodes"):
        metadata = node["metadata"]
        found += [(metadata["name"], EXCLUDE)] * (EXCLUDE in metadata.get("labels", {}))
        found += [(metadata["name"], OWNER)] * (OWNER in metadata.get("annotations", {}))
    return found


def gateway_images(site: Site) -> set[str]:
    pods = site.objects("/api/v1/namespaces/istio-ingress/pods")
    return {c["image"] for pod in pods for c in pod["spec"]["containers"]}


def test_a_killed_apply_resumes_without_losing_a_request_or_leaving_a_mark(
    serving_site: Site, tmp_path: Path
) -> None:
    site = load_site(serving_site.folder)
    plan, log = tmp_path / "upgrade.json", tmp_path / "apply.log"
    serving_site.run("plan", "upgrade", "--to", "istio=1.31.1", "--out", str(plan))
    argv = load_argv(site.gateways[0], site.probe, rate=120, keepalive=20)
    with RunningLoad(from_outside(site, argv)) as load:
        process = serving_site.start("apply", str(plan), "--yes", log=log)
        wait_for("a cordoned node", lambda: bool(cordoned(serving_site)), process, log)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert marks(serving_site), "the kill was to hit a node in the middle of its transaction"
        time.sleep(2)
        serving_site.run("resume")
        time.sleep(2)
        count = load.stop()
    assert count.sent > 1000
    assert (count.lost, count.keepalive_lost) == (0, 0), count.reasons
    assert marks(serving_site) == []
    assert gateway_images(serving_site) == {"docker.io/istio/proxyv2:1.31.1"}
