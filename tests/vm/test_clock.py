"""A clock that is ten minutes wrong, for real: what it does to certificates, who refuses, and how it is put right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from rollout.checks.catalogue import catalogue
from rollout.engine.check import check_site
from rollout.engine.ports import HostOutcome
from rollout.model.gate import Finding, Verdict
from tests.vm.conftest import Machines
from tests.vm.machine import Shell, eventually

BEHIND = "r2n1"
SERVER = "r2n2"
NAME = "fresh.example"
GATES = ("PKI-CLOCK", "CLOCK-OFFSET")


def fresh_certificate() -> tuple[str, str]:
    """Self-signed and valid from now on, as a rotation's new root is: (certificate, key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(seconds=30))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return made.public_bytes(Encoding.PEM).decode(), private


def findings(machines: Machines) -> dict[str, Finding]:
    checks = tuple(catalogue()[name] for name in GATES)
    return {finding.check: finding for finding in check_site(machines.world, checks, None, None)}


def verdicts(machines: Machines) -> dict[str, Verdict]:
    return {name: finding.verdict for name, finding in findings(machines).items()}


def measured(machines: Machines) -> bool:
    """CLOCK-OFFSET is closed by how far off the clock is; right after the jump chronyd has no idea yet."""
    finding = findings(machines)["CLOCK-OFFSET"]
    return finding.verdict is Verdict.CLOSED and "away from" in finding.detail


@pytest.fixture(scope="module")
def clocks(machines: Machines, configured: tuple[HostOutcome, ...]) -> Machines:
    """Every node's chronyd follows the site's server, as the product set it up."""
    assert all(outcome.error is None for outcome in configured), configured
    return machines


@pytest.fixture(scope="module")
def asks(clocks: Machines) -> Iterator[str]:
    """A TLS server with a fresh certificate on one node; the script that makes the other ask it."""
    certificate, key = fresh_certificate()
    server = clocks.shell(SERVER)
    address = next(node.fabric_address for node in clocks.site.nodes if node.name == SERVER)
    server.run(
        f"mkdir -p /run/tls && cat >/run/tls/both.pem <<'PEM'\n{key}{certificate}PEM\n"
        "systemd-run --quiet --collect --unit fresh-tls openssl s_server -quiet -www -accept 8443"
        " -cert /run/tls/both.pem\n"
    )
    clocks.shell(BEHIND).run(f"mkdir -p /run/tls && cat >/run/tls/root.pem <<'PEM'\n{certificate}PEM\n")
    yield (
        f"curl -sS --max-time 120 -o /dev/null --cacert /run/tls/root.pem --resolve {NAME}:8443:{address}"
        + (f" https://{NAME}:8443/")
    )
    server.code("systemctl stop fresh-tls; rm -r /run/tls")


def answers(shell: Shell, ask: str) -> bool:
    return shell.code(ask)[0] == 0


def test_with_right_clocks_the_gates_are_open_and_a_fresh_certificate_is_good(
    clocks: Machines, asks: str
) -> None:
    shell = clocks.shell(BEHIND)
    eventually("the TLS server answers", lambda: answers(shell, asks))
    eventually("both gates open", lambda: set(verdicts(clocks).values()) == {Verdict.OPEN})


def test_a_clock_ten_minutes_behind_closes_both_gates_until_chrony_steps_it(
    clocks: Machines, asks: str
) -> None:
    """The whole story in one: wrong, refused, measured, stepped, accepted. chronyd keeps running throughout."""
    shell = clocks.shell(BEHIND)
    eventually("the TLS server answers", lambda: answers(shell, asks))
    shell.run("date --set '-10 minutes'")
    try:
        code, said = shell.code(asks)
        assert code != 0
        assert "certificate is not yet valid" in said
        refused = findings(clocks)["PKI-CLOCK"]
        assert refused.verdict is Verdict.CLOSED
        assert BEHIND in refused.detail
        assert "behind" in refused.detail
        shell.run("chronyc burst 4/4")
        eventually("chronyd has measured how wrong it is", lambda: measured(clocks))
    finally:
        shell.run("chronyc makestep")
    code, said = shell.code(asks)
    assert code == 0, said
    eventually("both gates open again", lambda: set(verdicts(clocks).values()) == {Verdict.OPEN})


def test_a_clock_that_the_product_finds_wrong_is_right_when_it_is_done(clocks: Machines) -> None:
    """chronyd had stopped: `configure` starts it, and its first updates may step the clock."""
    shell = clocks.shell(BEHIND)
    node = next(node for node in clocks.site.nodes if node.name == BEHIND)
    shell.run("systemctl stop chrony; date --set '-10 minutes'")
    (outcome,) = clocks.world.hosts.configure([node], dry_run=False)
    assert outcome.error is None
    assert outcome.changed
    eventually("both gates open", lambda: set(verdicts(clocks).values()) == {Verdict.OPEN})


def test_the_wrong_clock_was_the_machines_own_alone(clocks: Machines) -> None:
    """Two clocks, two kernels: stepping one leaves its neighbour's where it was."""
    before = clocks.shell(SERVER).run("cut -d' ' -f1 /proc/uptime; date +%s").split()
    clocks.shell(BEHIND).run("date --set '-10 minutes'")
    try:
        after = clocks.shell(SERVER).run("cut -d' ' -f1 /proc/uptime; date +%s").split()
    finally:
        clocks.shell(BEHIND).set_clock_right()
    uptime, wall = (float(b) - float(a) for a, b in zip(before, after, strict=True))
    assert abs(uptime - wall) < 300
