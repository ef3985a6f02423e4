"""`lab up` makes the passphrase that its site names, and only in its own folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab.blueprint import draw, lay_out
from pki.passphrase import read_passphrase
from rollout.model.site import Site
from rollout.site.load import load_site
from tests.unit.site_lab import LAB, written


def laid_out(folder: Path, passphrase_file: Path | None = None) -> Site:
    site = load_site(written(folder, LAB))
    if passphrase_file is not None:
        [mesh] = site.meshes
        assert mesh.pki is not None
        pki = replace(mesh.pki, passphrase_file=passphrase_file)
        site = replace(site, meshes=(replace(mesh, pki=pki),))
    lay_out(draw(site))
    return site


def test_a_lab_has_a_passphrase_that_only_its_owner_reads(tmp_path: Path) -> None:
    [mesh] = laid_out(tmp_path).meshes
    assert mesh.pki is not None
    assert mesh.pki.passphrase_file == tmp_path / ".lab/pki-passphrase"
    assert mesh.pki.passphrase_file.stat().st_mode & 0o777 == 0o600
    assert read_passphrase(mesh.pki.passphrase_file, {}).source == str(mesh.pki.passphrase_file)


def test_two_labs_do_not_share_a_passphrase(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        laid_out(tmp_path / name)
    first, second = ((tmp_path / name / ".lab/pki-passphrase").read_text() for name in ("a", "b"))
    assert first != second


def test_a_passphrase_outside_of_the_lab_is_left_to_its_owner(tmp_path: Path) -> None:
    elsewhere = tmp_path / "own"
    laid_out(tmp_path, elsewhere)
    assert not elsewhere.exists()
