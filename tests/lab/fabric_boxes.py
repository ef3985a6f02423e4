"""What the fabric's tests do to lab hosts: run programs in them, log in, speak BGP by hand."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from lab.host.enter import command
from lab.state import LabState
from rollout.model.site import Site, SshAccess

VIP = "203.0.113.9"

SERVER = f"""
import socket, socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(socket.gethostname().encode() + b"\\n")
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128
Server(("{VIP}", 7000), Echo).serve_forever()
"""

FLOWS = f"""
import socket, sys
def open_flow():
    flow = socket.create_connection(("{VIP}", 7000), timeout=3)
    return flow, flow.makefile("rw")
def ask(stream):
    stream.write("who\\n"); stream.flush()
    return stream.readline().strip()
flows = []
for line in sys.stdin:
    if line.strip() == "open":
        flows = [open_flow() for _ in range(40)]
    answers = []
    for flow, stream in (flows if line.strip() != "fresh" else [open_flow() for _ in range(40)]):
        try:
            answers.append(ask(stream))
        except OSError as error:
            answers.append(type(error).__name__)
    print(" ".join(answers), flush=True)
"""


def inside(lab: LabState, host: str, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(lab, host, argv), capture_output=True, text=True, check=False, timeout=60)


def ssh(access: SshAccess, remote: str, known_hosts: Path | None = None) -> subprocess.CompletedProcess[str]:
    known = known_hosts or access.known_hosts
    options = [
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={known}",
        "BatchMode=yes",
        "IdentitiesOnly=yes",
    ]
    flags = [word for option in options for word in ("-o", option)]
    target = ["-p", str(access.port), "-i", str(access.key_file), f"{access.user}@{access.address}"]
    argv = ["ssh", "-F", "none", *flags, *target, remote]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def known_name(access: SshAccess) -> str:
    return access.address if access.port == 22 else f"[{access.address}]:{access.port}"


def vtysh(lab: LabState, host: str, *lines: str) -> str:
    done = inside(lab, host, "vtysh", *(word for line in lines for word in ("-c", line)))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def eventually(holds: Callable[[], bool], *, within: float) -> bool:
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def announce(lab: LabState, site: Site, node: str, *, yes: bool) -> None:
    line = f"{'' if yes else 'no '}network {VIP}/32"
    bgp = f"router bgp {site.bgp.node_asn}"
    vtysh(lab, node, "configure terminal", bgp, "address-family ipv4 unicast", line)


def next_hops(lab: LabState, switch: str) -> int:
    """Distinct ones in the switch's resilient table."""
    shown = ["ip", "-n", lab.host(switch).namespace, "route", "show", f"{VIP}/32", "table", "100"]
    text = subprocess.run(shown, capture_output=True, text=True, check=False).stdout
    return len(set(re.findall(r"via (\S+)", text)))
