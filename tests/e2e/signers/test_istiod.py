"""A real istiod, asked for leaves as istio-agent asks, taken from root A to root B by hand under handshakes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from lab.control.plane import ControlPlane
from lab.signers import objects
from lab.signers.fleet import Manner
from lab.signers.generation import Generation, mint
from lab.signers.istiod import AUDIENCE, Istiod
from lab.signers.leaf import Leaf, Workload
from lab.signers.signer import SignerRefused
from rollout.adapters.kube.api import KubeApi
from tests.e2e.signers.stage import API, WEB, Stage, believed, openssl, proxies, stage, still

HALF_LIFE = Manner(share=0.5)
"""istio-agent's SECRET_GRACE_PERIOD_RATIO."""

LONG = timedelta(minutes=10)

REFUSED = "Updating new ROOT-CA not supported"


@dataclass(frozen=True)
class Lasting:
    """Leaves that do not end within a test that renews them by hand: no failure is one of a date."""

    istiod: Istiod
    api: KubeApi

    def ask(self, workload: Workload, held: Leaf | None = None) -> Leaf:
        del held
        return self.istiod.certify(workload, objects.token(self.api, workload, AUDIENCE), LONG)


@pytest.fixture(scope="module")
def a() -> Generation:
    return mint("istio", 1)


@pytest.fixture
def b() -> Generation:
    return mint("istio", 2)


@pytest.fixture(scope="module")
def running(
    plane: ControlPlane, api: KubeApi, a: Generation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Istiod]:
    istiod = Istiod(api, plane.kubeconfig, tmp_path_factory.mktemp("istiod"), a)
    try:
        istiod.start()
        yield istiod
    finally:
        istiod.close()


@pytest.fixture
def istiod(running: Istiod, a: Generation) -> Istiod:
    """At A, whatever the test before did to it."""
    running.write([a.root], a.issuer)
    if running.bundle() != (a.root,) or not running.ask(WEB).under(a.root):
        running.restart()
        running.wait_until("A for new proxies", lambda: running.bundle() == (a.root,))
    return running


def test_a_leaf_carries_the_spiffe_identity_of_its_account_and_no_other(
    istiod: Istiod, a: Generation
) -> None:
    leaf = istiod.ask(WEB)
    assert leaf.names == ("spiffe://cluster.local/ns/default/sa/web",)
    assert leaf.chain[1:] == (a.issuer.certificate,)
    assert leaf.roots == (a.root,)


def test_openssl_and_cryptography_believe_it_under_the_root_we_gave_and_under_no_other(
    istiod: Istiod, a: Generation, b: Generation, tmp_path: Path
) -> None:
    leaf = istiod.ask(WEB)
    assert openssl(leaf, [a.root], tmp_path).endswith("OK")
    assert "unable to get" in openssl(leaf, [b.root], tmp_path)
    assert believed(leaf, [a.root])
    assert not believed(leaf, [b.root])


def test_what_a_request_asks_for_is_nothing_beside_what_its_token_says(istiod: Istiod, api: KubeApi) -> None:
    leaf = istiod.certify(WEB, objects.token(api, API, AUDIENCE))
    assert leaf.names == ("spiffe://cluster.local/ns/default/sa/api",)


def test_a_token_for_another_audience_is_refused_and_so_is_none_at_all(istiod: Istiod, api: KubeApi) -> None:
    for token in (objects.token(api, WEB, "somebody-else"), "not a token"):
        with pytest.raises(SignerRefused, match="UNAUTHENTICATED"):
            istiod.certify(WEB, token)


def test_from_a_to_b_in_three_steps_no_handshake_fails(istiod: Istiod, a: Generation, b: Generation) -> None:
    with stage(proxies(istiod, HALF_LIFE)) as on:
        on.watch()
        rotate(istiod, on, a, b)
    assert on.pairs.tally().failures == 0
    assert not any(leaf.under(a.root) for leaf in on.fleet.leaves)


def rotate(istiod: Istiod, on: Stage, old: Generation, new: Generation) -> None:
    """Append only, and the next step only on a census of what the proxies hold."""
    istiod.publish([old.root, new.root])
    on.fleet.until("both roots", lambda leaf: set(leaf.roots) == {old.root, new.root})
    on.watch()
    istiod.switch(new.issuer)
    on.fleet.until("a chain to the new root", lambda leaf: leaf.under(new.root))
    on.watch()
    istiod.publish([new.root])
    on.fleet.until("the new root alone", lambda leaf: leaf.roots == (new.root,))
    on.watch()


def test_another_root_in_one_step_is_refused_with_no_more_than_a_warning(
    istiod: Istiod, a: Generation, b: Generation
) -> None:
    before = istiod.log.read_text().count(REFUSED)
    istiod.write([b.root], b.issuer)
    istiod.wait_until("the warning", lambda: istiod.log.read_text().count(REFUSED) > before)
    leaf = istiod.ask(WEB)
    assert leaf.under(a.root)
    assert leaf.roots == (a.root,)


def test_forced_through_by_a_restart_it_breaks_peers(istiod: Istiod, api: KubeApi, b: Generation) -> None:
    """The negative control: one proxy renewed, its neighbours not yet."""
    first, *others = proxies(Lasting(istiod, api), HALF_LIFE)
    with still([first, *others]) as pairs:
        pairs.more(10)
        assert pairs.tally().failures == 0
        istiod.write([b.root], b.issuer)
        istiod.restart()
        istiod.wait_until("B for new proxies", lambda: istiod.bundle() == (b.root,))
        first.start()
        pairs.more(10)
    assert first.leaf.under(b.root)
    assert pairs.tally().failures > 0


def test_the_old_root_dropped_before_the_last_old_leaf_breaks_peers(
    istiod: Istiod, api: KubeApi, a: Generation, b: Generation
) -> None:
    """istiod does not object: it knows of no leaf that it has given away."""
    first, *others = proxies(Lasting(istiod, api), HALF_LIFE)
    istiod.publish([a.root, b.root])
    istiod.wait_until("both roots", lambda: len(istiod.ask(WEB).roots) == 2)
    with still([first, *others]) as pairs:
        istiod.switch(b.issuer)
        istiod.wait_until("B's leaves", lambda: istiod.ask(WEB).under(b.root))
        istiod.publish([b.root])
        istiod.wait_until("B alone", lambda: istiod.ask(WEB).roots == (b.root,))
        pairs.more(10)
        assert pairs.tally().failures == 0
        first.start()
        pairs.more(10)
    assert all(proxy.leaf.under(a.root) for proxy in others)
    assert pairs.tally().failures > 0


def test_neither_a_leaf_nor_a_generation_shows_a_key_when_it_is_printed(
    istiod: Istiod, a: Generation
) -> None:
    leaf = istiod.ask(WEB)
    assert repr(leaf).startswith("Leaf(spiffe://cluster.local/ns/default/sa/web, until ")
    assert repr(a) == "Generation(CN=root.istio.cluster.local,OU=g1)"
