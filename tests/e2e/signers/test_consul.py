"""A real Consul server (1.14, the last line under the MPL without modules that are not), its CA taken from A to B.

Consul hands over by itself: it cross-signs, lists both roots, renews leaves. What is left to see is that it holds.
That the old root goes cannot be seen here: it does so hours later (twice a leaf's life, an hour at least).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lab.signers.consul import ConsulServer
from lab.signers.fleet import Manner, Proxy
from lab.signers.generation import Generation, mint
from lab.signers.signer import SignerRefused
from rollout.errors import RackrollError
from tests.e2e.signers.stage import API, STORE, WEB, believed, openssl, stage

WATCHING = Manner(every=timedelta(0))
ASLEEP = Manner(every=timedelta(hours=1))
"""A peer whose agent has heard of nothing since it started."""


@pytest.fixture
def a() -> Generation:
    return mint("consul", 1)


@pytest.fixture
def b() -> Generation:
    return mint("consul", 2)


@pytest.fixture
def consul(a: Generation, tmp_path: Path) -> Iterator[ConsulServer]:
    """One for each test: a cluster remembers every root that it ever had."""
    server = ConsulServer(tmp_path / "consul", a)
    try:
        server.start()
        yield server
    finally:
        server.close()


def test_a_leaf_carries_the_spiffe_identity_of_its_service(
    consul: ConsulServer, a: Generation, b: Generation, tmp_path: Path
) -> None:
    leaf = consul.ask(WEB)
    assert leaf.names == (f"spiffe://{consul.trust_domain}/ns/default/dc/dc1/svc/web",)
    assert leaf.roots == (a.root,)
    assert openssl(leaf, [a.root], tmp_path).endswith("OK")
    assert not openssl(leaf, [b.root], tmp_path).endswith("OK")
    assert believed(leaf, [a.root])
    assert not believed(leaf, [b.root])


def test_a_token_that_consul_never_gave_is_refused(consul: ConsulServer) -> None:
    with pytest.raises(SignerRefused, match="HTTP 403"):
        consul.certify(WEB, "00000000-0000-0000-0000-000000000000")


def test_from_a_to_b_no_handshake_fails_not_even_with_a_peer_that_has_heard_of_a_alone(
    consul: ConsulServer, a: Generation, b: Generation
) -> None:
    awake, asleep = [Proxy(one, consul, WATCHING) for one in (WEB, API)], Proxy(STORE, consul, ASLEEP)
    with stage([*awake, asleep]) as on:
        on.watch()
        consul.switch(b.anchor)
        for proxy in awake:
            wait_for_leaf_under(consul, proxy, b)
        on.watch()
    assert on.pairs.tally().failures == 0
    assert asleep.leaf.roots == (a.root,)
    assert not asleep.leaf.under(b.root)
    assert all(set(proxy.leaf.roots) == {a.root, b.root} for proxy in awake)


def test_forced_without_a_cross_signature_it_breaks_such_a_peer(consul: ConsulServer, b: Generation) -> None:
    """The negative control: the same, and the one thing left out."""
    awake, asleep = [Proxy(one, consul, WATCHING) for one in (WEB, API)], Proxy(STORE, consul, ASLEEP)
    with stage([*awake, asleep]) as on:
        on.watch()
        assert on.pairs.tally().failures == 0
        consul.switch(b.anchor, cross_signed=False)
        for proxy in awake:
            wait_for_leaf_under(consul, proxy, b)
        on.watch()
    assert on.pairs.tally().failed.keys() >= {("api", "store"), ("store", "web")}


def test_the_old_root_stays_listed_and_nobody_is_told_that_it_went(
    consul: ConsulServer, a: Generation, b: Generation
) -> None:
    consul.switch(b.anchor)
    consul.publish([a.root, b.root])
    assert set(consul.bundle()) == {a.root, b.root}
    with pytest.raises(RackrollError, match="lists no root CN=root"):
        consul.publish([mint("consul", 3).root])


def wait_for_leaf_under(consul: ConsulServer, proxy: Proxy, generation: Generation) -> None:
    """The agent spreads renewals over half a minute."""
    consul.wait_until(
        f"a leaf of the new root at {proxy.workload.account}", lambda: proxy.leaf.under(generation.root)
    )
