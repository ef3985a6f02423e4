"""A SoftHSM token in a test's own folder: Debian's packages softhsm2 and opensc (`scripts/os-packages`)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

LIBRARY = next(
    (
        path
        for path in (
            Path("/usr/lib/softhsm/libsofthsm2.so"),
            Path("/usr/lib64/pkcs11/libsofthsm2.so"),
        )
        if path.exists()
    ),
    None,
)
MISSING = LIBRARY is None or not all(map(shutil.which, ("softhsm2-util", "pkcs11-tool")))
PIN = "1234-5678"


def make_tokens(folder: Path, *labels: str) -> dict[str, str]:
    """Tokens in ``folder`` and the PIN file ``folder/pin``; returns the environment that finds them."""
    (folder / "tokens").mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    environment = {"SOFTHSM2_CONF": str(config), "PATH": "/usr/bin:/bin"}
    for label in labels:
        argv = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", PIN]
        subprocess.run(argv, env=environment, check=True, capture_output=True)
    (folder / "pin").touch(mode=0o600)
    (folder / "pin").write_text(f"{PIN}\n")
    return environment
