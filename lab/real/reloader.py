"""``python -m lab.real.reloader <folder>``: MetalLB's FRR reloader, restated for the node's own FRR.

The speaker writes ``frr.conf`` into the folder that both containers share and sends SIGHUP to the pid in
``reloader.pid``; FRR's own frr-reload.py checks the file and applies it. Interface: MetalLB
frr-tools/reloader/frr-reloader.sh, whose script is not used because it belongs to another image.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FRR_RELOAD = "/usr/lib/frr/frr-reload.py"
PYTHON = "/usr/bin/python3"  # frr-pythontools belong to the distribution's own


def main(folder: Path) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGTERM})
    pid_file = folder / "reloader.pid"
    pid_file.write_text(str(os.getpid()))
    try:
        while signal.sigwait({signal.SIGHUP, signal.SIGTERM}) == signal.SIGHUP:
            _say(folder, "success" if _reload(folder / "frr.conf") else "failure")
    finally:
        pid_file.unlink(missing_ok=True)


def _reload(config: Path) -> bool:
    """A file with an error in it is rejected whole; signals that come meanwhile ask for one more round."""
    for verb in (["--test"], ["--reload", "--overwrite"]):
        began = time.monotonic()
        done = subprocess.run(
            [PYTHON, FRR_RELOAD, *verb, "--stdout", str(config)], capture_output=True, text=True, check=False
        )
        took = f"{time.monotonic() - began:.2f} s"
        print(f"frr-reload {verb[0]}: {done.returncode} in {took}\n{done.stdout}{done.stderr}", flush=True)
        if done.returncode != 0:
            return False
    return True


def _say(folder: Path, word: str) -> None:
    """The speaker reads this file to learn what became of its configuration."""
    (folder / ".status").write_text(f"{int(time.time())} {word}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
