"""kill -9 in the middle of a node transaction, then resume: nothing lost, nothing left behind."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.rackroll_command import Site
from tests.lab.serving import clients, serving

pytestmark = pytest.mark.lab

EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
OWNER = "rackroll.io/run"


@pytest.fixture
def serving_site(tmp_path: Path) -> Iterator[Site]:
    """A lab of its own, brought up and serving the echo service."""
    with serving(tmp_path / "kill", "kill", "127.84.") as site:
        yield site


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
    plan, log = tmp_path / "upgrade.json", tmp_path / "apply.log"
    serving_site.run("plan", "upgrade", "--to", "istio=1.31.1", "--out", str(plan))
    with clients(serving_site.folder) as seen:
        process = serving_site.start("apply", str(plan), "--yes", log=log)
        wait_for("a cordoned node", lambda: bool(cordoned(serving_site)), process, log)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert marks(serving_site), "the kill was to hit a node in the middle of its transaction"
        time.sleep(2)
        serving_site.run("resume")
        time.sleep(2)
    assert seen.count.sent > 1000
    assert seen.lost == (0, 0), seen.count.reasons
    assert marks(serving_site) == []
    assert gateway_images(serving_site) == {"docker.io/istio/proxyv2:1.31.1"}
