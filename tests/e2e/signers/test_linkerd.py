"""A real identity controller of Linkerd, for those who have one: no registry that this project builds from does.

RACKROLL_LINKERD_IDENTITY names a program built from upstream's ``controller/cmd``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.control.plane import ControlPlane
from lab.signers import objects
from lab.signers.fleet import Manner
from lab.signers.generation import Generation, mint
from lab.signers.linkerd import AUDIENCE, PROGRAM, LinkerdIdentity
from lab.signers.signer import SignerRefused
from rollout.adapters.kube.api import KubeApi
from tests.e2e.signers.stage import API, WEB, Stage, believed, openssl, proxies, stage, still

if PROGRAM not in os.environ:
    pytest.skip(f"{PROGRAM} names no identity controller of Linkerd", allow_module_level=True)

SKIPPED = "Skipping issuer update"

SEVENTY = Manner(share=0.7)
"""When linkerd2-proxy renews."""


@pytest.fixture(scope="module")
def a() -> Generation:
    return mint("linkerd", 1)


@pytest.fixture
def b() -> Generation:
    return mint("linkerd", 2)


@pytest.fixture(scope="module")
def running(
    plane: ControlPlane, api: KubeApi, a: Generation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LinkerdIdentity]:
    identity = LinkerdIdentity(api, plane.kubeconfig, tmp_path_factory.mktemp("linkerd"), a)
    try:
        identity.start()
        yield identity
    finally:
        identity.close()


@pytest.fixture
def identity(running: LinkerdIdentity, a: Generation) -> LinkerdIdentity:
    """At A, whatever the test before did to it."""
    running.publish([a.root])
    running.switch(a.issuer)
    running.restart()
    return running


def test_a_leaf_carries_the_dns_identity_of_its_account(
    identity: LinkerdIdentity, a: Generation, b: Generation, tmp_path: Path
) -> None:
    leaf = identity.ask(WEB)
    assert leaf.names == ("web.default.serviceaccount.identity.linkerd.cluster.local",)
    assert leaf.chain[1:] == (a.issuer.certificate,)
    assert openssl(leaf, [a.root], tmp_path).endswith("OK")
    assert not openssl(leaf, [b.root], tmp_path).endswith("OK")
    assert believed(leaf, [a.root])
    assert not believed(leaf, [b.root])


def test_a_token_of_another_account_or_of_nobody_is_refused(identity: LinkerdIdentity, api: KubeApi) -> None:
    others = objects.token(api, API, AUDIENCE)
    with pytest.raises(SignerRefused, match="did not match provided token"):
        identity.certify(WEB, others, identity.bundle())
    with pytest.raises(SignerRefused, match=r"Certify: [A-Z_]+: "):
        identity.certify(WEB, "not a token", identity.bundle())


def test_from_a_to_b_no_handshake_fails(identity: LinkerdIdentity, a: Generation, b: Generation) -> None:
    with stage(proxies(identity, SEVENTY)) as on:
        on.watch()
        rotate(identity, on, a, b)
    assert on.pairs.tally().failures == 0
    assert not any(leaf.under(a.root) for leaf in on.fleet.leaves)


def rotate(identity: LinkerdIdentity, on: Stage, old: Generation, new: Generation) -> None:
    """Every change of anchors is a restart: first of the controller, then of every proxy."""
    identity.publish([old.root, new.root])
    identity.restart()
    on.fleet.restart()
    on.fleet.until("both roots", lambda leaf: set(leaf.roots) == {old.root, new.root})
    on.watch()
    identity.switch(new.issuer)
    identity.restart()
    on.fleet.restart()
    on.fleet.until("a chain to the new root", lambda leaf: leaf.under(new.root))
    on.watch()
    identity.publish([new.root])
    identity.restart()
    on.fleet.restart()
    on.fleet.until("the new root alone", lambda leaf: leaf.roots == (new.root,))
    on.watch()


def test_an_issuer_that_no_anchor_of_the_controllers_start_leads_to_is_skipped(
    identity: LinkerdIdentity, a: Generation, b: Generation
) -> None:
    """Also when the ConfigMap has the anchor by now: it is read once."""
    before = identity.log.read_text().count(SKIPPED)
    identity.publish([a.root, b.root])
    identity.switch(b.issuer)
    identity.wait_until("the skip", lambda: identity.log.read_text().count(SKIPPED) > before)
    assert identity.ask(WEB).under(a.root)


def test_a_proxy_with_the_old_bundle_does_not_take_a_leaf_of_the_new_issuer(
    identity: LinkerdIdentity, a: Generation, b: Generation
) -> None:
    """It goes on with the old one until that ends, and nobody hears of it."""
    proxy, *_ = proxies(identity, SEVENTY)
    proxy.start()
    identity.publish([a.root, b.root])
    identity.switch(b.issuer)
    identity.restart()
    before = proxy.leaf
    proxy.renew()
    assert proxy.leaf is before
    assert proxy.refusals == 1
    proxy.start()
    assert proxy.leaf.under(b.root)


def test_bundle_and_issuer_in_one_step_break_peers(identity: LinkerdIdentity, b: Generation) -> None:
    """The negative control: one proxy restarted, its neighbours not yet."""
    first, *others = proxies(identity, SEVENTY)
    with still([first, *others]) as pairs:
        pairs.more(10)
        assert pairs.tally().failures == 0
        identity.publish([b.root])
        identity.switch(b.issuer)
        identity.restart()
        first.start()
        pairs.more(10)
    assert pairs.tally().failures > 0
