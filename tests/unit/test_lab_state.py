"""Keys, state, claims and how a host is entered: what the lab writes down and reads back."""

from __future__ import annotations

import os
import subprocess
import sys
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab import keys, preflight, registry, services
from lab.forward import Route, listen
from lab.host.enter import DROPPED, command
from lab.process import ProcessRef, kill, reference, start_time
from lab.state import HostState, LabState, Role, ServiceState, find_state, lab_folder, read_state, write_state
from lab.topology import Forward
from rollout.errors import LockHeld, RackrollError, Unreachable


def _state(folder: Path, process: ProcessRef) -> LabState:
    host = HostState(
        name="r1n1",
        role=Role.NODE,
        namespace="rr-x-r1n1",
        init=process,
        oob_address="10.255.0.9",
        fabric_address=None,
        forward="127.91.1.11:22",
        share=folder / ".lab" / "hosts" / "r1n1",
    )
    return LabState("x", folder, True, (host,), (ServiceState("lab.forward", process),))


def _ourselves() -> ProcessRef:
    return reference(os.getpid())


def test_the_state_reads_back_as_it_was_written(tmp_path: Path) -> None:
    state = _state(tmp_path, _ourselves())
    write_state(state)
    assert read_state(tmp_path) == state


def test_no_lab_is_said_with_the_command_that_makes_one(tmp_path: Path) -> None:
    assert find_state(tmp_path) is None
    with pytest.raises(RackrollError, match="not up") as refused:
        read_state(tmp_path)
    assert "lab up" in refused.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", '{"site": "x"}', "null"])
def test_a_broken_state_file_is_an_error_not_a_traceback(tmp_path: Path, text: str) -> None:
    lab_folder(tmp_path).mkdir()
    (lab_folder(tmp_path) / "state.json").write_text(text)
    with pytest.raises(RackrollError, match="broken lab state"):
        read_state(tmp_path)


def test_a_host_is_always_entered_without_the_powers_over_the_machine(tmp_path: Path) -> None:
    argv = command(_state(tmp_path, _ourselves()), "r1n1", ["date"])
    assert argv[0] == "nsenter"
    dropped = next(word for word in argv if word.startswith("--bounding-set="))
    assert {f"-{name}" for name in DROPPED} == set(dropped.partition("=")[2].split(","))
    assert argv[-2:] == ["--", "date"]
    assert "sys_time" in DROPPED


def test_entering_a_dead_host_is_unreachable_not_a_visit_to_whoever_has_its_pid_now(tmp_path: Path) -> None:
    recycled = ProcessRef(os.getpid(), _ourselves().started - 1)
    with pytest.raises(Unreachable, match="not running"):
        command(_state(tmp_path, recycled), "r1n1", ["date"])


def test_entering_an_unknown_host_names_those_that_run(tmp_path: Path) -> None:
    with pytest.raises(RackrollError, match="no lab host 'r9'") as refused:
        command(_state(tmp_path, _ourselves()), "r9", ["date"])
    assert "r1n1" in refused.value.hint


def test_an_empty_program_is_refused_because_nsenter_would_start_a_shell(tmp_path: Path) -> None:
    with pytest.raises(RackrollError, match="no program"):
        command(_state(tmp_path, _ourselves()), "r1n1", [])


def test_a_process_with_a_recycled_pid_is_never_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        ours = reference(child.pid)
        kill(ProcessRef(ours.pid, ours.started + 1))
        assert child.poll() is None
        kill(ours)
        child.wait()
    assert start_time(ours.pid) != ours.started


def test_known_hosts_has_a_plain_name_on_port_22_and_brackets_otherwise() -> None:
    pair = keys.generate()
    address = IPv4Address("127.91.1.11")
    text = keys.known_hosts([(Forward(address, 22), pair), (Forward(address, 2222), pair)])
    names = [line.split()[0] for line in text.splitlines()]
    assert names == ["127.91.1.11", "[127.91.1.11]:2222"]


def test_a_generated_private_key_is_one_that_openssh_reads(tmp_path: Path) -> None:
    pair = keys.generate()
    keys.write_private(tmp_path / "key", pair.private)
    read = subprocess.run(
        ["ssh-keygen", "-y", "-f", tmp_path / "key"], capture_output=True, text=True, check=True
    )
    assert read.stdout.split()[:2] == pair.public.split()[:2]


def test_an_address_that_somebody_listens_on_is_refused_with_its_name() -> None:
    with listen(Route("127.91.250.1", 0, "10.255.0.1")) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RackrollError, match=f"127.91.250.1:{port}: cannot listen"):
            preflight.check_free((), [Route("127.91.250.1", port, "10.255.0.1")])


def test_missing_programs_are_named_with_the_packages_that_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "PROGRAMS", {"/nowhere/bgpd": "frr", "/nowhere/sshd": "openssh-server"})
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(RackrollError, match="/nowhere/bgpd, /nowhere/sshd") as refused:
        preflight.check_machine()
    assert refused.value.hint.endswith("frr openssh-server")


def test_without_root_the_lab_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(RackrollError, match="namespaces") as refused:
        preflight.check_machine()
    assert "root" in refused.value.hint


def test_on_another_system_the_lab_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(RackrollError, match="needs Linux, this is darwin"):
        preflight.check_machine()


def test_a_claim_reads_back_and_is_found_by_its_folder_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    ours = registry.Claim("x", tmp_path / "site", ("rr-x-oob",))
    registry.claim(ours)
    assert registry.claims_of(tmp_path / "site") == (ours,)
    assert registry.claims_of(tmp_path / "other") == ()
    registry.release(ours)
    assert registry.claims_of(tmp_path / "site") == ()


def test_a_dead_claim_of_another_folder_does_not_hold_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    registry.claim(registry.Claim("x", tmp_path / "gone", ("rr-x-does-not-exist",)))
    ours = registry.Claim("x", tmp_path / "site", ("rr-x-oob",))
    registry.refuse_taken(ours)
    registry.claim(ours)
    assert registry.claims_of(tmp_path / "site") == (ours,)


def test_only_one_up_or_down_works_on_a_folder_at_a_time(tmp_path: Path) -> None:
    with registry.only_one(tmp_path), pytest.raises(LockHeld), registry.only_one(tmp_path):
        pass
    with registry.only_one(tmp_path):
        pass


def test_a_service_is_found_by_its_exact_command_line(tmp_path: Path) -> None:
    mute = [sys.executable, "-c", "input()", "-m", services.FORWARD, str(tmp_path)]
    with subprocess.Popen(mute, stdin=subprocess.PIPE) as child:
        assert services.running(tmp_path) == {}
        child.kill()
