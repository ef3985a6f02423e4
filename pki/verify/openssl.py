"""The second opinion: the ``openssl`` program, which knows nothing of us."""

from __future__ import annotations

import re
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

from pki.bundle import to_pem
from pki.errors import PkiError
from pki.verify.chain import Chain, is_ca

TIMEOUT = 20
"""Seconds; it takes about 10 ms."""


def openssl_refusal(chain: Chain, anchors: Chain, *, now: datetime) -> str | None:
    """What ``openssl verify -x509_strict`` has against the chain; None where it accepts.

    The machine's own CAs are kept out of it (-no-CApath, -no-CAstore): it is about these anchors only. Raises PkiError
    where there is no openssl, for nothing is minted on one opinion.
    """
    with tempfile.TemporaryDirectory(prefix="rackroll-pki-") as name:
        folder = Path(name)
        (folder / "anchors.pem").write_text(to_pem(anchors))
        (folder / "first.pem").write_text(to_pem(chain[:1]))
        argv = ["openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAstore"]
        argv += ["-attime", str(int(now.timestamp())), "-CAfile", "anchors.pem"]
        if chain[1:]:
            (folder / "rest.pem").write_text(to_pem(chain[1:]))
            argv += ["-untrusted", "rest.pem"]
        if not is_ca(chain[0]):
            argv += ["-purpose", "sslserver"]
        return _verdict([*argv, "first.pem"], folder)


def _verdict(argv: list[str], folder: Path) -> str | None:
    try:
        done = subprocess.run(
            argv, cwd=folder, capture_output=True, text=True, errors="replace", check=False, timeout=TIMEOUT
        )
    except FileNotFoundError:
        raise PkiError(
            "there is no openssl program to check with", hint="install openssl (3.0 or newer)"
        ) from None
    except subprocess.TimeoutExpired:
        raise PkiError(f"openssl did not answer in {TIMEOUT} s", hint="run it again") from None
    if done.returncode == 0:
        return None
    said = re.findall(r"error \d+ at \d+ depth lookup: ?(.+)", done.stderr + done.stdout)
    return "; ".join(said) or (done.stderr.strip().splitlines() or ["refused without a word"])[-1]
