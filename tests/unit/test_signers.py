"""The parts of the signers' rig that need no signer: leaves, handshakes, renewals, volumes, messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from lab.kube.api.protobuf import wire
from lab.signers import rpc
from lab.signers.fleet import Fleet, Manner, Proxy
from lab.signers.generation import Generation, mint
from lab.signers.leaf import Certificates, Leaf, Workload, new_key
from lab.signers.pairs import Pairs
from lab.signers.signer import SignerRefused
from lab.signers.volume import Volume
from rollout.adapters.kube.api import KubeApi

A, B = mint("unit", 1), mint("unit", 2)
NAMES = ("web", "api", "store")
KEPT = Manner(every=timedelta(hours=1))


@dataclass
class Paper:
    """A signer of a few lines: what it signs with and what it says may be changed at any time."""

    by: Generation = A
    says: Certificates = (A.root,)
    name: str | None = None
    refuses: bool = False
    asked: list[str] = field(default_factory=list)

    def ask(self, workload: Workload, held: Leaf | None = None) -> Leaf:
        del held
        self.asked.append(workload.account)
        if self.refuses:
            raise SignerRefused("not now")
        return leaf(self.by, self.name or workload.account, self.says)


def leaf(by: Generation, account: str, roots: Certificates) -> Leaf:
    key, now = new_key(), datetime.now(UTC)
    name = x509.UniformResourceIdentifier(f"spiffe://cluster.local/ns/default/sa/{account}")
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(by.issuer.certificate.subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(minutes=1)).not_valid_after(now + timedelta(hours=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return Leaf((builder.sign(by.issuer.key, hashes.SHA256()), by.issuer.certificate), roots, key)


def ring(signer: Paper) -> list[Proxy]:
    made = [Proxy(Workload("default", name), signer, KEPT) for name in NAMES]
    for proxy in made:
        proxy.start()
    return made


def test_a_chain_leads_to_its_own_anchor_and_to_no_other() -> None:
    one = leaf(A, "web", (A.root,))
    assert one.under(A.root)
    assert not one.under(B.root)


def test_a_leaf_prints_its_name_and_its_end_and_nothing_else() -> None:
    assert repr(leaf(A, "web", ())).startswith("Leaf(spiffe://cluster.local/ns/default/sa/web, until 20")


def test_every_pair_of_the_ring_shakes_hands_and_none_fails() -> None:
    with Pairs(ring(Paper())) as pairs:
        pairs.more(5)
    tally = pairs.tally()
    assert tally.whole.keys() == {("web", "api"), ("api", "store"), ("store", "web")}
    assert all(count >= 5 for count in tally.whole.values())
    assert tally.failures == 0


def test_a_peer_of_another_root_fails_both_as_client_and_as_server() -> None:
    signer = Paper()
    first, *others = ring(signer)
    signer.by, signer.says = B, (B.root,)
    first.start()
    with Pairs([first, *others]) as pairs:
        pairs.more(3)
    assert pairs.tally().failed.keys() == {("web", "api"), ("store", "web")}


def test_a_client_whose_leaf_the_server_does_not_believe_is_counted_though_its_own_half_went_well() -> None:
    signer = Paper(says=(A.root, B.root))
    first, *others = ring(signer)
    signer.by = B
    first.start()
    signer.by, signer.says = A, (A.root,)
    for proxy in others:
        proxy.start()
    with Pairs([first, *others]) as pairs:
        pairs.more(3)
    assert ("web", "api") in pairs.tally().failed


def test_a_refused_renewal_leaves_the_old_leaf_in_use_and_is_counted() -> None:
    signer = Paper()
    proxy, *_ = ring(signer)
    before = proxy.leaf
    signer.refuses = True
    proxy.renew()
    assert proxy.leaf is before
    assert proxy.refusals == 1


def test_a_fleet_renews_each_leaf_when_it_is_due_and_waits_for_the_last() -> None:
    signer = Paper()
    members = [Proxy(Workload("default", name), signer, Manner(every=timedelta(0))) for name in NAMES]
    with Fleet(members) as fleet:
        signer.by, signer.says = B, (A.root, B.root)
        fleet.until("B", lambda one: one.under(B.root))
        assert all(one.under(B.root) for one in fleet.leaves)


def test_who_is_restarted_goes_on_with_what_it_has_until_the_signer_gives_it_another() -> None:
    signer = Paper()
    members = [Proxy(Workload("default", name), signer, Manner()) for name in NAMES]
    with Fleet(members) as fleet:
        before, signer.refuses = members[0].leaf, True
        members[0].restart_soon()
        while not members[0].refusals:
            assert members[0].leaf is before
        signer.by, signer.says = B, (A.root, B.root)
        signer.refuses = False
        while not members[0].leaf.under(B.root):
            pass
        assert all(one.under(A.root) for one in fleet.leaves[1:])


def test_who_hears_of_another_bundle_renews_at_once_and_for_nothing_else() -> None:
    signer = Paper()
    heard = [signer.says]
    proxy = Proxy(Workload("default", "web"), signer, Manner(pushed=lambda: heard[0]))
    proxy.start()
    before = proxy.leaf
    proxy.renew_if_due()
    assert proxy.leaf is before
    heard[0] = signer.says = (A.root, B.root)
    proxy.renew_if_due()
    assert proxy.leaf.roots == (A.root, B.root)


def test_a_leaf_is_due_at_the_share_of_what_is_left_of_it() -> None:
    one, now = leaf(A, "web", ()), datetime.now(UTC)
    left = one.certificate.not_valid_after_utc - now
    assert Manner(share=0.5).due(one, now) == now + left / 2


@dataclass
class Api:
    """One Secret."""

    data: dict[str, str]

    def get(self, path: str) -> dict[str, Any]:
        del path
        return {"data": self.data}


def test_a_volume_shows_what_its_secret_says_and_drops_what_it_no_longer_does(tmp_path: Path) -> None:
    secret = Api({"one": "MQ==", "two": "Mg=="})
    volume = Volume(cast(KubeApi, secret), "/api/v1/namespaces/n/secrets/s", tmp_path)
    try:
        assert (volume.folder / "one").read_text() == "1"
        assert (volume.folder / "one").stat().st_mode & 0o777 == 0o600
        secret.data = {"two": "Mw=="}
        while (volume.folder / "one").is_symlink():
            pass
    finally:
        volume.stop()
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("..")) == ["two"]
    assert (volume.folder / "two").read_text() == "3"


def test_a_pod_that_starts_sees_what_its_secret_says_now_however_late_its_kubelet_is(tmp_path: Path) -> None:
    secret = Api({"one": "MQ=="})
    volume = Volume(cast(KubeApi, secret), "/api/v1/namespaces/n/secrets/s", tmp_path, every=3600)
    try:
        secret.data = {"one": "Mg=="}
        volume.remount()
        assert (volume.folder / "one").read_text() == "2"
    finally:
        volume.stop()


@pytest.mark.parametrize("size", [0, 127, 128, 70_000])
def test_a_message_said_by_hand_is_read_back_as_it_was(size: int) -> None:
    said = rpc.field(1, "x" * size) + rpc.number_field(3, size) + rpc.field(1, b"\x00")
    assert list(wire(said)) == [(1, b"x" * size), (3, size), (1, b"\x00")]
    assert rpc.texts(said, 1) == [b"x" * size, b"\x00"]
