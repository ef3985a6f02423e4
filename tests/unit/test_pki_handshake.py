"""Minted chains at work: TLS in both directions, and a third verifier that follows the web's rules."""

from __future__ import annotations

import itertools
import ssl
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from pki.bundle import TrustBundle, read_pem, to_pem
from pki.home import PkiHome
from pki.profile import Identity
from tests.unit.pki_homes import NOW, home

WEB = Identity("shop", "web")
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Side:
    """One end of a connection: whose leaf it shows and which bundle it believes."""

    generation: int
    trusts: str
    bridge: str = ""


def handshake(own: PkiHome, server: Side, client: Side, folder: Path) -> str | None:
    """Mutual TLS 1.3 in memory; None, or the first side's reason."""
    sides = [
        _context(own, server, ssl.PROTOCOL_TLS_SERVER, folder / "server"),
        _context(own, client, ssl.PROTOCOL_TLS_CLIENT, folder / "client"),
    ]
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        sides[1].wrap_bio(to_client, to_server, server_side=False),
        sides[0].wrap_bio(to_server, to_client, server_side=True),
    ]
    for end in itertools.islice(itertools.cycle(ends), 8):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return error.reason
    return None


def _context(own: PkiHome, side: Side, protocol: int, folder: Path) -> ssl.SSLContext:
    folder.mkdir(exist_ok=True)
    chain, key = own.canary(side.generation, WEB, NOW, HOUR)
    (folder / "chain.pem").write_text(chain + side.bridge)
    (folder / "key.pem").touch(mode=0o600)
    (folder / "key.pem").write_bytes(key)
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    context.load_verify_locations(cadata=side.trusts)
    return context


@pytest.fixture(params=["istio", "linkerd", "consul"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> PkiHome:
    made = home(tmp_path, request.param)
    made.begin(NOW)
    made.begin(NOW)
    return made


def bundles(own: PkiHome) -> tuple[str, str, str]:
    old, new = (each.anchor for each in own.generations())
    return to_pem([old]), to_pem([new]), TrustBundle((old,)).with_(new).pem


def test_under_both_roots_every_pair_of_generations_shakes_hands(own: PkiHome, tmp_path: Path) -> None:
    both = bundles(own)[2]
    for server, client in itertools.product((1, 2), repeat=2):
        assert handshake(own, Side(server, both), Side(client, both), tmp_path) is None


def test_who_was_left_with_the_old_root_refuses_a_new_leaf(own: PkiHome, tmp_path: Path) -> None:
    """Why the bundle is spread before the signer is switched."""
    old, _, both = bundles(own)
    assert handshake(own, Side(2, both), Side(1, old), tmp_path) == "CERTIFICATE_VERIFY_FAILED"
    assert handshake(own, Side(1, old), Side(2, both), tmp_path) is not None


def test_who_lost_the_old_root_too_early_refuses_an_old_leaf(own: PkiHome, tmp_path: Path) -> None:
    _, new, both = bundles(own)
    assert handshake(own, Side(1, both), Side(2, new), tmp_path) == "CERTIFICATE_VERIFY_FAILED"


def test_a_cross_signed_root_brings_a_new_leaf_to_who_trusts_only_the_old(
    own: PkiHome, tmp_path: Path
) -> None:
    old, _, both = bundles(own)
    bridge = to_pem([own.cross_signed(2, 1, NOW, timedelta(days=7))])
    assert handshake(own, Side(2, both, bridge), Side(1, old), tmp_path) is None


def test_the_librarys_own_verifier_agrees(own: PkiHome) -> None:
    old, new, _ = bundles(own)
    leaf, *rest = read_pem(own.canary(2, WEB, NOW, HOUR)[0], "x")

    def verify(anchors: str) -> None:
        store = Store(list(read_pem(anchors, "x")))
        PolicyBuilder().store(store).time(NOW).build_client_verifier().verify(leaf, rest)

    verify(new)
    with pytest.raises(VerificationError):
        verify(old)
