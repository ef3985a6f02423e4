"""The parent's side: one result whatever the child does, every node reported, nothing left running."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rollout.adapters.hosts import PyinfraHosts
from rollout.adapters.hosts.job import Job, Result, clock_profile, host_data, kernel_profile
from rollout.engine.ports import HostOutcome
from rollout.errors import SiteInvalid, StepFailed
from rollout.model.site import KernelProfile, Site
from rollout.site.load import load_site
from tests.unit.site_lab import LAB, written


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return load_site(written(tmp_path, LAB))


def hosts(site: Site, script: str, seconds: float = 10) -> PyinfraHosts:
    return PyinfraHosts(site, timeout=timedelta(seconds=seconds), child=(sys.executable, "-c", script))


def printing(result: Result) -> str:
    return f"import sys; sys.stdin.read(); print({result.to_json()!r})"


def test_profiles_survive_the_way_to_the_child(site: Site) -> None:
    job = Job("deploys/node.py", False, 10.0, {n.name: host_data(site, n) for n in site.nodes})
    back = Job.from_json(job.to_json()).hosts["r1n1"]
    assert kernel_profile(back["kernel"]) == site.kernel
    assert clock_profile(back["clock"]) == site.clock


def test_every_host_is_logged_into_with_its_key_and_strict_host_keys(site: Site) -> None:
    data = host_data(site, site.node("r1n1"))
    assert data["ssh_strict_host_key_checking"] == "yes"
    assert data["ssh_known_hosts_file"] == str(site.node("r1n1").ssh.known_hosts)
    assert "ssh_password" not in data


def test_outcomes_come_in_the_order_asked_and_a_missing_one_is_an_error(site: Site) -> None:
    result = Result((HostOutcome("r2n1", ("kernel",)), HostOutcome("r1n1", (), "gone")))
    asked = [site.node(name) for name in ("r1n1", "r1n2", "r2n1")]
    first, second, third = hosts(site, printing(result)).configure(asked, dry_run=False)
    assert (first.error, third.changed) == ("gone", ("kernel",))
    assert second == HostOutcome("r1n2", (), "pyinfra did not report it")


def test_a_job_that_failed_as_a_whole_is_an_error_with_its_reason(site: Site) -> None:
    with pytest.raises(StepFailed, match="no such deploy"):
        hosts(site, printing(Result((), "no such deploy"))).configure(site.nodes, dry_run=False)


@pytest.mark.parametrize(
    "script", ["import sys; sys.exit('boom')", "print('{}')", "print('[1]')", "print('a word')"]
)
def test_a_child_that_dies_or_babbles_is_an_error_not_a_traceback(site: Site, script: str) -> None:
    with pytest.raises(StepFailed, match="no result"):
        hosts(site, script).configure(site.nodes, dry_run=False)


def test_a_child_that_hangs_is_killed(site: Site, tmp_path: Path) -> None:
    script = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    began = time.monotonic()
    with pytest.raises(StepFailed, match="did not end within 1 s"):
        hosts(site, script, seconds=1).configure(site.nodes, dry_run=False)
    assert time.monotonic() - began < 10
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_an_illegal_profile_is_refused_before_a_child_is_started(site: Site) -> None:
    illegal = replace(site, kernel=KernelProfile((("net.ipv4.tcp_tw_recycle", "1"),)))
    with pytest.raises(SiteInvalid, match="tcp_tw_recycle"):
        hosts(illegal, "import sys; sys.exit(1)").configure(site.nodes, dry_run=True)


def test_no_nodes_is_no_job(site: Site) -> None:
    assert hosts(site, "import sys; sys.exit(1)").configure((), dry_run=False) == ()


def unreachable(tmp_path: Path) -> dict[str, object]:
    """Host data for a port where nobody listens."""
    key = tmp_path / "key"
    key.write_text(_key())
    return {
        "ssh_hostname": "127.0.0.1",
        "ssh_port": 1,
        "ssh_key": str(key),
        "ssh_strict_host_key_checking": "yes",
    }


def test_the_real_child_reports_every_unreachable_host_on_stdout_alone(site: Site, tmp_path: Path) -> None:
    deploy = tmp_path / "deploy.py"
    deploy.write_text("print('noise')")
    closed = unreachable(tmp_path)
    result = PyinfraHosts(site)._run(Job(str(deploy), False, 2.0, {"a": closed, "b": closed}))
    assert [outcome.node for outcome in result.outcomes] == ["a", "b"]
    assert all("Could not connect" in str(outcome.error) for outcome in result.outcomes)
    assert result.failure is None


def test_the_real_child_answers_even_when_the_job_is_nonsense(site: Site, tmp_path: Path) -> None:
    result = PyinfraHosts(site)._run(Job("/nonexistent/deploy.py", False, 2.0, {"a": unreachable(tmp_path)}))
    assert "/nonexistent/deploy.py" in str(result.failure)


def _key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH
    return private.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def test_results_are_plain_json() -> None:
    text = Result((HostOutcome("n", ("a",), None),)).to_json()
    assert json.loads(text) == {"outcomes": [{"node": "n", "changed": ["a"], "error": None}], "failure": None}
    assert Result.from_json(text) == Result((HostOutcome("n", ("a",), None),))
