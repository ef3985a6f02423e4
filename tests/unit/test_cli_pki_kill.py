"""The real `rackroll pki init` under kill -9, at moments spread over its life (test_pki_home_kill: the exact ones)."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from lab.sitecopy import copy_site
from rollout.adapters.pki import pki_home
from rollout.site.load import load_site
from tests.unit.site_lab import ROOT


def test_init_killed_again_and_again_ends_with_one_generation(tmp_path: Path) -> None:
    folder = copy_site(ROOT / "inventory/lab", tmp_path / "site", name="copy", loopback="127.85.")
    word = folder / ".lab/pki-passphrase"
    word.parent.mkdir()
    word.touch(mode=0o600)
    word.write_text("correct horse battery staple\n")
    home = pki_home(load_site(folder).mesh("istio"))
    argv = [sys.executable, "-m", "rollout.cli.main", "pki", "init", "-i", str(folder)]
    killed = 0
    for tenth in range(1, 9):
        with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            time.sleep(0.05 * tenth)
            child.kill()
        killed += child.returncode == -signal.SIGKILL
        assert [len(each.issuers) for each in home.generations()] in ([], [1])
    assert killed >= 1
    assert subprocess.run(argv, cwd=ROOT, capture_output=True, check=False).returncode == 0
    [made] = home.generations()
    home.check_root_key(made.number)
    assert home.issuer_material(made.number, 1)
