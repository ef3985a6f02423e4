"""Shake hands with the proxies of one node and say what they showed. Sent to the node as ``python3 -I -S -c``.

Standard library only and nothing of ours, because its source text is what is sent; for any Python from 3.10. What to
ask comes as JSON on standard input, canaries with their keys among it: those live in memory (memfd) and end with it.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

AT_ONCE = 16
SLOWER, LONGEST = 5.0, 3.0
"""How many times the handshake's own time an alert may take: who is slow to shake hands is slow to refuse. But three
seconds at most: a server that hangs up on whoever says nothing would say neither yes nor no."""

REFUSED = ("UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN")
"""Alerts that say no to who signed a certificate: rustls, BoringSSL, Go and OpenSSL send one of these. Any other alert
(expired, access denied, no such protocol) says nothing about a root."""


def look(asked: dict[str, Any], target: dict[str, Any], canary: dict[str, Any]) -> dict[str, Any]:
    """The target's leaf (base64 of DER), and whether the canary was accepted: true, false, or null and why."""
    found: dict[str, Any] = {"leaf": "", "why": "", "accepted": None}
    try:
        found["accepted"] = _shake(target, canary, asked, found)
    except OSError as error:
        found["why"] = str(getattr(error, "reason", None) or error.strerror or error or type(error).__name__)
    return found


def _shake(
    target: dict[str, Any], canary: dict[str, Any], asked: dict[str, Any], found: dict[str, Any]
) -> Any:
    """TLS 1.3 servers judge the client after it is done: only the next read shows an alert, or that none came."""
    context = _context(target, canary)
    plain = socket.create_connection((target["host"], target["port"]), asked["timeout"])
    with plain:
        shown = target["sni"] or None
        with context.wrap_socket(plain, server_hostname=shown, do_handshake_on_connect=False) as tls:
            try:
                began = time.monotonic()
                tls.do_handshake()
                took = time.monotonic() - began
                found["leaf"] = base64.b64encode(tls.getpeercert(binary_form=True) or b"").decode()
                return _silence(tls, max(asked["patience"], min(SLOWER * took, LONGEST)), found)
            except ssl.SSLError as error:
                if str(error.reason).endswith(REFUSED):
                    return False
                raise


def _silence(tls: ssl.SSLSocket, patience: float, found: dict[str, Any]) -> Any:
    """True if nothing, or data, comes after the handshake; one that hangs up has said neither yes nor no."""
    tls.settimeout(patience)
    try:
        if tls.recv(1):
            return True
    except TimeoutError:
        return True
    found["why"] = "hung up after the handshake"
    return None


def _context(target: dict[str, Any], canary: dict[str, Any]) -> ssl.SSLContext:
    """Nothing of the far end is verified here: it is looked at, and judged where the roots are known."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if target["alpn"]:
        context.set_alpn_protocols(target["alpn"])
    memory = os.memfd_create("canary")
    try:
        os.write(memory, (canary["chain"] + canary["key"]).encode())
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)
    return context


def answer(asked: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """For each target one answer for each canary, in their order, and at last one for the stranger's certificate."""
    canaries = [*asked["canaries"], asked["stranger"]]
    asks = [(target, canary) for target in asked["targets"] for canary in canaries]
    if not asks:
        return []
    with ThreadPoolExecutor(min(AT_ONCE, len(asks))) as pool:
        answers = list(pool.map(lambda pair: look(asked, *pair), asks))
    each = len(canaries)
    return [answers[at : at + each] for at in range(0, len(answers), each)]


if __name__ == "__main__":
    print(json.dumps(answer(json.load(sys.stdin))))
