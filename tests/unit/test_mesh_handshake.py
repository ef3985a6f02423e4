"""Real TLS 1.3 handshakes over loopback: each way in which trust fails is told apart by its client."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from lab.mesh.certificates import Certificate, Profile, fingerprint, key_to_pem, sign_leaf
from lab.mesh.handshake import Target, answer, dial
from lab.mesh.records import Outcome
from lab.mesh.trust import Contexts, Credentials, Trust, contexts
from pki.mint import Authority
from tests.unit.mesh_authorities import anchor, certificates, issuer, now, signer

HOUR = timedelta(hours=1)
A, B = anchor(1), anchor(2)
ISSUER_A, ISSUER_B = issuer(A, 1), issuer(B, 2)
NAME = "spiffe://cluster.local/ns/drill/sa/pair"
LOCAL = "127.0.0.1"


def credentials(
    under: Authority, *trusted: Authority, at: datetime | None = None, life: timedelta = HOUR
) -> Credentials:
    key = ec.generate_private_key(ec.SECP256R1())
    profile = Profile("", (x509.UniformResourceIdentifier(NAME),), life, timedelta(minutes=2))
    chain = sign_leaf(signer(under), key.public_key(), profile, at or now())
    return Credentials(chain, key_to_pem(key), certificates(*trusted))


def made(
    under: Authority, *trusted: Authority, at: datetime | None = None, life: timedelta = HOUR
) -> Contexts:
    return contexts(credentials(under, *trusted, at=at, life=life), ("istio",))


@contextmanager
def serving(held: Contexts, end: Callable[[socket.socket, ssl.SSLContext], None] = answer) -> Iterator[int]:
    """A listener that gives each connection a thread, as a pair's does."""
    with socket.create_server((LOCAL, 0)) as listening:

        def accept() -> None:
            while True:
                try:
                    plain, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=end, args=(plain, held.server), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)


def outcome(client: Contexts, port: int, identity: str = NAME, timeout: float = 5.0) -> Outcome:
    return dial(Target(LOCAL, LOCAL, port, "pair.drill", identity), client.client, timeout)


def test_two_that_trust_each_other_shake_hands() -> None:
    with serving(made(ISSUER_A, A)) as port:
        assert outcome(made(ISSUER_A, A), port) is Outcome.OK


def test_a_client_that_lacks_the_servers_root_says_verify() -> None:
    with serving(made(ISSUER_B, A, B)) as port:
        assert outcome(made(ISSUER_A, A), port) is Outcome.VERIFY


def test_a_server_that_lacks_the_clients_root_makes_it_rejected_although_its_handshake_was_done() -> None:
    with serving(made(ISSUER_A, A)) as port:
        assert {outcome(made(ISSUER_B, A, B), port) for _ in range(20)} == {Outcome.REJECTED}


def test_who_has_both_roots_takes_both_generations() -> None:
    with serving(made(ISSUER_B, A, B)) as port:
        assert outcome(made(ISSUER_A, A, B), port) is Outcome.OK


def test_an_expired_and_a_future_certificate_are_told_apart() -> None:
    with serving(made(ISSUER_A, A, life=timedelta(seconds=-10))) as port:
        assert outcome(made(ISSUER_A, A), port) is Outcome.EXPIRY
    with serving(made(ISSUER_A, A, at=now() + timedelta(minutes=30))) as port:
        assert outcome(made(ISSUER_A, A), port) is Outcome.NOT_YET_VALID


def test_our_own_expired_leaf_is_the_peers_alert() -> None:
    with serving(made(ISSUER_A, A)) as port:
        assert outcome(made(ISSUER_A, A, life=timedelta(seconds=-10)), port) is Outcome.REJECTED


def test_a_peer_with_another_name_is_not_the_one_we_wanted() -> None:
    with serving(made(ISSUER_A, A)) as port:
        assert outcome(made(ISSUER_A, A), port, "spiffe://cluster.local/ns/other/sa/pair") is Outcome.VERIFY


def test_nobody_there_is_refused_and_a_peer_that_hangs_up_is_reset() -> None:
    with socket.create_server((LOCAL, 0)) as taken:
        port = taken.getsockname()[1]
    assert outcome(made(ISSUER_A, A), port) is Outcome.REFUSED
    with serving(made(ISSUER_A, A), lambda plain, _: plain.close()) as port:
        assert outcome(made(ISSUER_A, A), port) is Outcome.RESET


def test_a_peer_that_says_nothing_is_a_timeout() -> None:
    kept: list[socket.socket] = []
    with serving(made(ISSUER_A, A), lambda plain, _: kept.append(plain)) as port:
        assert outcome(made(ISSUER_A, A), port, timeout=0.2) is Outcome.TIMEOUT


def test_clients_that_say_nothing_or_break_off_harm_nobody() -> None:
    held = made(ISSUER_A, A)
    with serving(held) as port:
        with socket.create_connection((LOCAL, port)), socket.create_connection((LOCAL, port)) as rude:
            rude.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert outcome(held, port) is Outcome.OK
        canary = held.client.wrap_socket(socket.create_connection((LOCAL, port)))
        assert canary.version() == "TLSv1.3"
        assert canary.selected_alpn_protocol() == "istio"
        canary.close()
        assert outcome(held, port) is Outcome.OK


def test_no_session_is_ever_resumed() -> None:
    held = made(ISSUER_A, A)
    with serving(held) as port, socket.create_connection((LOCAL, port)) as plain:
        secured = held.client.wrap_socket(plain)
        secured.sendall(b"o")
        assert secured.recv(1) == b"k"
        assert secured.session is None or not secured.session.has_ticket
        assert secured.session_reused is False


def test_a_verifier_that_was_made_to_forget_a_root_refuses_and_can_be_healed(tmp_path: Path) -> None:
    trust = Trust(("istio",), tmp_path / "trust.json")
    trust.install(credentials(ISSUER_A, A, B))
    with serving(made(ISSUER_A, A)) as port:
        for dropped, expected in (
            (frozenset({fingerprint(A.certificate)}), Outcome.VERIFY),
            (frozenset[str](), Outcome.OK),
        ):
            trust.drop(dropped)
            held = trust.contexts
            assert held is not None
            assert outcome(held, port) is expected


def test_what_a_process_tells_about_its_trust_holds_no_key(tmp_path: Path) -> None:
    trust = Trust((), tmp_path / "trust.json")
    held = credentials(ISSUER_A, A, B)
    trust.install(held)
    told = (tmp_path / "trust.json").read_text()
    roots: tuple[Certificate, ...] = certificates(A, B)
    assert all(fingerprint(one) in told for one in (held.leaf, *roots))
    assert "PRIVATE" not in told + repr(held)


@pytest.mark.parametrize("trusted", [(), (A,)], ids=["no root at all", "the old root"])
def test_a_process_without_the_right_root_still_serves_and_refuses(trusted: tuple[Authority, ...]) -> None:
    with serving(made(ISSUER_B, *trusted)) as port:
        assert outcome(made(ISSUER_B, B), port) is Outcome.REJECTED
