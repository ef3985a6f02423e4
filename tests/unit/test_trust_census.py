"""The census against real TLS 1.3 servers on loopback: what is accepted, what is refused, and what says nothing."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pki.fingerprint import fingerprint
from pki.home import PkiHome
from pki.passphrase import Passphrase
from pki.profile import profile
from pki.rotation.sighting import Authority, Party
from pki.stores.file import FileStore
from rollout.adapters.trust import census as module
from rollout.adapters.trust.census import Census
from rollout.adapters.trust.home import CANARY, MeshKeys
from rollout.adapters.trust.members import Member
from rollout.errors import Unreachable
from rollout.model.rekey import Signer
from rollout.model.trust import Socket
from tests.unit.tls_servers import (
    HOST,
    Manner,
    closed_port,
    dawdles,
    denies,
    hangs,
    hangs_up,
    is_silent,
    server_context,
    serving,
    speaks,
    waits,
)

KEY = "PRIVATE KEY"


@dataclass
class Here:
    """Runs the script as a node does: its text, in a Python of its own without site packages."""

    asked: list[Any] = field(default_factory=list)
    fails: bool = False

    def run(self, node: str, script: ModuleType, asked: object, timeout: float) -> Any:
        self.asked.append(asked)
        if self.fails:
            raise Unreachable("cannot log in", where=f"node {node}")
        assert script.__file__
        text = Path(script.__file__).read_text(encoding="utf-8")
        argv = [sys.executable, "-I", "-S", "-c", text]
        done = subprocess.run(
            argv, input=json.dumps(asked).encode(), capture_output=True, timeout=timeout, check=True
        )
        return json.loads(done.stdout)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short: what is waited for here never comes."""
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    monkeypatch.setattr(module, "TIMEOUT", 1.0)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> MeshKeys:
    """Two generations, and a second issuer of the first."""
    store = FileStore(Passphrase("a test", b"correct horse battery"))
    home = PkiHome(tmp_path_factory.mktemp("pki"), profile("istio", "cluster.local"), store, store)
    now = datetime.now(UTC)
    home.begin(now)
    home.begin(now)
    home.reissue(1, now)
    return MeshKeys("istio", home)


def anchor(keys: MeshKeys, generation: int) -> str:
    return fingerprint(keys.anchor(generation))


def look(
    keys: MeshKeys, folder: Path, trusts: tuple[int, ...], manner: Manner = waits, serves: int = 1
) -> Party:
    leaf = keys.home.canary(serves, CANARY, datetime.now(UTC), timedelta(minutes=5))
    context = server_context(leaf, [keys.anchor(number) for number in trusts], folder)
    with serving(context, manner) as port:
        return _taken(keys, Here(), port)[0]


def _taken(keys: MeshKeys, here: Here, *ports: int) -> tuple[Party, ...]:
    census = Census(here, {"n1": "r1"}, Socket(0, ("istio",)), lambda _: "web", module.TIMEOUT)
    members = [Member(f"web-{i}", "shop", "n1", HOST, port, "web", "proxy") for i, port in enumerate(ports)]
    return census.take(members, keys.canaries(), keys.stranger(), keys.issuers())


@pytest.mark.parametrize("trusts", [(1,), (2,), (1, 2)])
@pytest.mark.parametrize("manner", [waits, speaks])
def test_a_server_accepts_the_canaries_of_what_it_trusts_and_no_other(
    keys: MeshKeys, tmp_path: Path, trusts: tuple[int, ...], manner: Manner
) -> None:
    found = look(keys, tmp_path, trusts, manner)
    assert found.trusts == frozenset(anchor(keys, number) for number in trusts)
    assert (found.rack, found.silent) == ("r1", "")


def test_who_is_slow_to_shake_hands_is_given_longer_to_refuse(keys: MeshKeys, tmp_path: Path) -> None:
    found = look(keys, tmp_path, (2,), dawdles)
    assert (found.trusts, found.silent) == (frozenset({anchor(keys, 2)}), "")


@pytest.mark.parametrize(("serves", "issuer"), [(1, 2), (2, 1)])
def test_the_leaf_that_is_served_is_traced_to_its_issuer_and_root(
    keys: MeshKeys, tmp_path: Path, serves: int, issuer: int
) -> None:
    found = look(keys, tmp_path, (1, 2), serves=serves).leaf
    assert found
    assert found.by == keys.authority(Signer(serves, issuer))
    assert found.identity == "spiffe://cluster.local/ns/rackroll/sa/census"
    assert found.not_before < datetime.now(UTC) < found.not_after


def test_a_leaf_of_somebody_elses_root_is_seen_and_chains_to_nothing_of_ours(
    keys: MeshKeys, tmp_path: Path
) -> None:
    stranger = keys.stranger()
    context = server_context((stranger.chain, stranger.key.encode()), [keys.anchor(1)], tmp_path)
    with serving(context) as port:
        (found,) = _taken(keys, Here(), port)
    assert found.leaf
    assert found.leaf.by is None
    assert found.trusts == frozenset({anchor(keys, 1)})


@pytest.mark.parametrize(
    ("manner", "says"),
    [
        (is_silent, "timed out"),
        (hangs_up, "hung up after the handshake"),
        (hangs, "a stranger's certificate is not refused"),
        (denies, "INTERNAL_ERROR"),
    ],
)
def test_who_says_neither_yes_nor_no_is_unseen_and_never_trusted(
    keys: MeshKeys, tmp_path: Path, manner: Manner, says: str
) -> None:
    found = look(keys, tmp_path, (1, 2), manner)
    assert found.trusts is None
    assert says in found.silent


def test_a_server_that_asks_nobody_for_a_certificate_trusts_nothing_of_ours(
    keys: MeshKeys, tmp_path: Path
) -> None:
    """It accepts every canary, as an application's own TLS does behind a proxy that lets it pass."""
    found = look(keys, tmp_path, ())
    assert found.trusts is None
    assert "a stranger's certificate is not refused" in found.silent
    assert found.leaf


def test_a_closed_port_is_unseen_and_its_neighbour_is_not(keys: MeshKeys, tmp_path: Path) -> None:
    leaf = keys.home.canary(1, CANARY, datetime.now(UTC), timedelta(minutes=5))
    with serving(server_context(leaf, [keys.anchor(1)], tmp_path)) as port:
        shut, open_ = _taken(keys, Here(), closed_port(), port)
    assert (shut.name, shut.leaf, shut.trusts) == ("web-0", None, None)
    assert "refused" in shut.silent
    assert (open_.name, open_.trusts) == ("web-1", frozenset({anchor(keys, 1)}))


def test_a_node_that_does_not_answer_makes_its_pods_unseen_not_absent(keys: MeshKeys) -> None:
    found = _taken(keys, Here(fails=True), 1, 2)
    assert [(p.leaf, p.trusts) for p in found] == [(None, None)] * 2
    assert all("n1: cannot log in" in p.silent for p in found)


def test_an_expired_issuer_mints_no_canary_and_then_its_root_is_not_asked_about(keys: MeshKeys) -> None:
    late = MeshKeys("istio", keys.home, lambda: datetime.now(UTC) + timedelta(days=366))
    assert late.canaries() == ()
    assert len(keys.canaries()) == 2


def test_no_key_of_a_canary_shows_anywhere_but_in_what_a_node_is_asked(
    keys: MeshKeys, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = Here()
    leaf = keys.home.canary(1, CANARY, datetime.now(UTC), timedelta(minutes=5))
    with caplog.at_level(logging.DEBUG), serving(server_context(leaf, [keys.anchor(1)], tmp_path)) as port:
        found = _taken(keys, here, port)
    shown = (
        repr(found),
        repr(keys.canaries()),
        repr(keys.stranger()),
        repr(keys.material(Signer(1, 1))),
        caplog.text,
    )
    assert not [text for text in shown if KEY in text]
    question = here.asked[0]
    assert all(KEY in each["key"] for each in (*question["canaries"], question["stranger"]))
    assert KEY not in json.dumps({key: value for key, value in question.items() if key == "targets"})


def test_many_are_asked_at_once_and_answered_in_their_order(keys: MeshKeys, tmp_path: Path) -> None:
    with ExitStack() as stack:
        ports = list(_servers(keys, tmp_path, stack))
        found = _taken(keys, Here(), *ports)
    assert [p.trusts for p in found] == [frozenset({anchor(keys, 1 + i % 2)}) for i in range(len(ports))]


def _servers(keys: MeshKeys, folder: Path, stack: ExitStack) -> Iterator[int]:
    leaf = keys.home.canary(1, CANARY, datetime.now(UTC), timedelta(minutes=5))
    for i in range(6):
        yield stack.enter_context(serving(server_context(leaf, [keys.anchor(1 + i % 2)], folder)))


def test_authorities_are_told_apart_by_generation_and_issuer(keys: MeshKeys) -> None:
    found = [keys.authority(signer) for signer in keys.signers()]
    assert keys.signers() == (Signer(1, 1), Signer(1, 2), Signer(2, 1))
    assert len(set(found)) == 3
    assert {a.anchor for a in found} == keys.anchors()
    assert all(isinstance(a, Authority) and a.anchor != a.issuer for a in found)
