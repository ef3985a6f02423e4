"""Agents inside virtual machines: what they are given, how the daemon reaches them, and that nothing else can."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from lab.kube.errors import ApiError
from lab.kube.resource import PODS
from lab.kube.runtimes import Runtime
from lab.kube.store import Store
from lab.real import endpoint as endpoints
from lab.real.endpoint import Endpoint
from lab.real.mirror import Mirror
from lab.state import read_state, share_folder
from lab.topology import topology_of
from lab.vm import agent, nodes
from lab.vm.code import check_python
from lab.vm.given import GIVEN, give, read_given
from lab.vm.machines import ROOT, read_machines
from lab.vm.nodes import Door, certificates, read_status
from lab.vm.sitefile import write_site
from lab.vm.state import vm_folder
from rollout.errors import RackrollError
from rollout.model.site import Site
from rollout.site.load import load_site

ADDRESS = "127.0.0.1"
POD: dict[str, Any] = {
    "metadata": {"name": "gateway", "namespace": "ns"},
    "spec": {"nodeName": "r1n1", "containers": [{"name": "istio-proxy", "image": "x"}]},
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = load_site(write_site(read_machines(), tmp_path))
    vm_folder(tmp_path).mkdir(parents=True)
    for node in made.nodes:
        share_folder(tmp_path, node.name).mkdir(parents=True)
    give(made, topology_of(made), tmp_path)
    return made


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int) -> int:
    for module in (endpoints, nodes):
        monkeypatch.setattr(module, "PORT", unused_tcp_port)
    return unused_tcp_port


@pytest.fixture
def unused_tcp_port() -> int:
    with socket.create_server((ADDRESS, 0)) as held:
        return int(held.getsockname()[1])


async def said(_pod: object, _container: str, argv: tuple[str, ...]) -> tuple[int, bytes, bytes]:
    return (3, b"out", b"err") if argv == ("fail",) else (0, " ".join(argv).encode(), b"")


async def written(_pod: object, _container: str) -> bytes:
    return b"a line\n"


@asynccontextmanager
async def kubelet(site: Site, folder: Path) -> AsyncIterator[Door]:
    """The endpoint that an agent serves, and the daemon's door to it."""
    store = Store()
    store.create(PODS, POD)
    store.runtimes.register("r1n1", Runtime(said, written))
    serving = certificates(folder).serving("kubelet-test", ["r1n1"], [ADDRESS])
    served = Endpoint(cast(Mirror, store), "r1n1", serving, str(certificates(folder).authority.certificate))
    await served.start(None, ADDRESS)
    node = replace(site.nodes[0], ssh=replace(site.nodes[0].ssh, address=ADDRESS))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=nodes._tls(folder))) as session:
        try:
            yield Door(session, node)
        finally:
            await served.stop()


@pytest.mark.usefixtures("port")
def test_a_command_goes_into_the_machine_and_its_words_and_exit_code_come_back(
    site: Site, tmp_path: Path
) -> None:
    async def asked() -> None:
        async with kubelet(site, tmp_path) as door:
            assert await door.execute(POD, "istio-proxy", ("a", "b c")) == (0, b"a b c", b"")
            assert await door.execute(POD, "istio-proxy", ("fail",)) == (3, b"out", b"err")
            assert await door.logs(POD, "istio-proxy") == b"a line\n"

    asyncio.run(asked())


@pytest.mark.usefixtures("port")
def test_whoever_has_no_certificate_of_the_lab_is_not_let_in(site: Site, tmp_path: Path) -> None:
    async def asked() -> None:
        async with kubelet(site, tmp_path) as door:
            stranger = ssl.create_default_context(cafile=str(certificates(tmp_path).authority.certificate))
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=stranger)) as session:
                with pytest.raises(ApiError, match="kubelet of node r1n1 does not answer"):
                    await replace(door, session=session).execute(POD, "istio-proxy", ("a",))

    asyncio.run(asked())


@pytest.mark.usefixtures("port")
def test_a_machine_that_is_away_is_an_error_of_the_api_and_no_success(
    site: Site,
) -> None:
    async def asked() -> None:
        async with aiohttp.ClientSession() as session:
            node = replace(site.nodes[0], ssh=replace(site.nodes[0].ssh, address=ADDRESS))
            with pytest.raises(ApiError, match="does not answer"):
                await Door(session, node).execute(POD, "istio-proxy", ("a",))

    asyncio.run(asked())


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"status": "Success"}', 0),
        (b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}}', 7),
        (b'{"status": "Failure", "message": "no"}', 1),
        (b"", 1),
    ],
)
def test_no_word_about_the_end_is_no_success(raw: bytes, code: int) -> None:
    assert read_status(raw) == code


def test_every_node_is_given_who_it_is_and_all_its_neighbours(site: Site, tmp_path: Path) -> None:
    found = {node.name: read_given(share_folder(tmp_path, node.name)) for node in site.nodes}
    assert {name: given.node for name, given in found.items()} == {name: name for name in found}
    (addresses,) = {json.dumps(dict(given.nodes)) for given in found.values()}
    assert set(json.loads(addresses)) == set(found)
    assert len(set(json.loads(addresses).values())) == len(found)


@pytest.mark.usefixtures("site")
def test_what_is_given_is_for_root_alone_and_names_no_path_of_the_lab_host(
    tmp_path: Path,
) -> None:
    given = share_folder(tmp_path, "r1n1") / GIVEN
    assert given.stat().st_mode & 0o777 == 0o700
    assert {(given / name).stat().st_mode & 0o777 for name in ("kubelet.key", "kubeconfig")} == {0o600}
    assert str(ROOT) not in (given / "site.yaml").read_text()


def test_an_agent_takes_process_1_of_its_machine_for_the_lab_host_it_enters(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "load_site", lambda _: site)
    share, home = share_folder(tmp_path, "r2n1"), tmp_path / "home"
    settled = agent.settle(home, share)
    assert settled.given.node == "r2n1"
    assert read_state(home).host("r1n1").init.pid == 1
    assert share_folder(home, "r2n1").resolve() == share.resolve()
    assert agent.settle(home, share) == settled


def test_an_agent_that_was_given_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"node\.json"):
        agent.settle(tmp_path / "home", tmp_path)


def test_packages_of_another_python_are_refused_with_the_way_out() -> None:
    check_python((3, 11))
    with pytest.raises(RackrollError) as refused:
        check_python((3, 13))
    assert "3.11" in refused.value.message
    assert refused.value.hint is not None
    assert "PYTHON=python3.11" in refused.value.hint


def test_the_ways_to_the_kubelets_are_the_nodes_own_addresses(site: Site) -> None:
    found = nodes.routes(site, topology_of(site))
    assert [route.listen for route in found] == [node.ssh.address for node in site.nodes]
    assert {route.port for route in found} == {10250}
