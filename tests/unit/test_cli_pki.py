"""`rackroll pki` as an operator meets it: twice in a row, with a wrong passphrase, with files that are none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.sitecopy import copy_site
from pki.bundle import to_pem
from pki.fingerprint import fingerprint
from pki.home import PkiHome
from pki.passphrase import VARIABLE
from pki.profile import Identity
from rollout.adapters.pki import pki_home
from rollout.cli.main import run
from rollout.site.load import load_site
from tests.unit.odd_certificates import ROOT as OTHER_ROOT
from tests.unit.pki_homes import NOW
from tests.unit.site_lab import ROOT

Run = Callable[..., "Done"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = copy_site(ROOT / "inventory/lab", tmp_path / "site", name="copy", loopback="127.85.")
    (folder / ".lab").mkdir()
    word = folder / ".lab/pki-passphrase"
    word.touch(mode=0o600)
    word.write_text("correct horse battery staple\n")
    return folder


@dataclass(frozen=True)
class Done:
    """What a command said and how it ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def pki(site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line's own entry point, in this process: a process each would take ten times as long."""
    for name in [name for name in os.environ if name.startswith("RACKROLL_")]:
        monkeypatch.delenv(name)

    def command(*words: str, **environment: str) -> Done:
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                run(["pki", *words, "-i", str(site)])
        said = capsys.readouterr()
        for text in said:
            assert not any(
                word in text for word in ("Traceback", "internal error", "PRIVATE", "correct horse")
            )
        return Done(int(ended.value.code or 0), said.out, said.err)

    return command


def home_of(site: Path) -> PkiHome:
    return pki_home(load_site(site).mesh("istio"))


def edit(site: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = yaml.safe_load((site / "site.yaml").read_text())
    change(document["meshes"][0])
    (site / "site.yaml").write_text(yaml.safe_dump(document))


def shown(pki: Run) -> list[tuple[int, list[int]]]:
    [mesh] = json.loads(pki("show", "-o", "json").stdout)["meshes"]
    return [
        (each["number"], [issuer["number"] for issuer in each["issuers"]]) for each in mesh["generations"]
    ]


def test_init_mints_once(pki: Run) -> None:
    first, second = pki("init"), pki("init")
    assert (first.returncode, second.returncode) == (0, 0)
    assert "minted generation 1" in first.stderr
    assert "there already, unchanged" in second.stderr
    assert first.stdout == second.stdout
    assert shown(pki) == [(1, [1])]


def test_show_before_init_says_what_to_do(pki: Run) -> None:
    done = pki("show")
    assert (done.returncode, done.stderr) == (0, "")
    assert "rackroll pki init" in done.stdout


@pytest.mark.parametrize("words", [("alerts",), ("verify",), ("mint", "--issuer", "--yes")])
def test_what_needs_a_root_says_so_before_init(words: tuple[str, ...], pki: Run) -> None:
    done = pki(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert "has no root yet" in done.stderr
    assert "next: rackroll pki init" in done.stderr


def test_looking_needs_no_passphrase(pki: Run, site: Path) -> None:
    pki("init")
    (site / ".lab/pki-passphrase").unlink()
    assert [pki(word).returncode for word in ("show", "verify", "alerts")] == [0, 0, 0]


def test_a_wrong_passphrase_is_exit_1_and_mints_nothing(pki: Run) -> None:
    pki("init")
    for words in (("mint", "--yes"), ("mint", "--issuer", "--yes"), ("verify", "--keys")):
        done = pki(*words, **{VARIABLE: "another one altogether"})
        assert (done.returncode, done.stdout) == (1, "")
        assert "the passphrase is wrong, or the file is damaged" in done.stderr
        assert "next: check the variable RACKROLL_PKI_PASSPHRASE" in done.stderr
        assert "another one" not in done.stderr
    assert shown(pki) == [(1, [1])]


def test_mint_asks_first(pki: Run) -> None:
    pki("init")
    done = pki("mint")
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert shown(pki) == [(1, [1])]


def test_a_third_generation_is_refused_while_a_rotation_is_under_way(pki: Run) -> None:
    pki("init")
    assert pki("mint", "--yes").returncode == 0
    done = pki("mint", "--yes")
    assert done.returncode == 3
    assert "its rotation is not finished" in done.stderr
    assert shown(pki) == [(1, [1]), (2, [1])]


def test_mint_after_a_number_said_twice_mints_once(pki: Run) -> None:
    pki("init")
    for words in (
        ("--after", "1"),
        ("--after", "1"),
        ("--issuer", "--after", "1"),
        ("--issuer", "--after", "1"),
    ):
        assert pki("mint", *words).returncode == 0
    assert shown(pki) == [(1, [1]), (2, [1, 2])]


def test_the_site_sets_lifetimes(pki: Run, site: Path) -> None:
    edit(site, lambda mesh: mesh["pki"].update(anchorLifetime="30d", issuerLifetime="36h"))
    pki("init")
    [made] = home_of(site).generations()
    hour = timedelta(hours=1)
    assert made.anchor.not_valid_after_utc - made.anchor.not_valid_before_utc == 30 * 24 * hour + hour
    issuer = made.issuers[0].certificate
    assert issuer.not_valid_after_utc - issuer.not_valid_before_utc == 36 * hour + hour


def test_verify_shows_both_verifiers_and_opens_keys_when_asked(pki: Run) -> None:
    pki("init")
    done = pki("verify", "--keys", "-o", "json")
    assert done.returncode == 0
    verdicts = json.loads(done.stdout)["verdicts"]
    assert all(line["good"] for line in verdicts)
    assert [line["openssl"] for line in verdicts if "under its root" in line["about"]] == ["accepts"]
    assert sum("is its certificate's" in line["about"] for line in verdicts) == 2


def test_a_swapped_key_is_found_by_verify_keys(pki: Run, site: Path) -> None:
    pki("init")
    pki("mint", "--issuer", "--yes")
    folder = site / ".lab/pki/istio/generation-1"
    (folder / "issuer-1/key").write_bytes((folder / "issuer-2/key").read_bytes())
    assert pki("verify").returncode == 0
    done = pki("verify", "--keys")
    assert done.returncode == 1
    assert "key-mismatch" in done.stderr


def test_a_swapped_certificate_is_found_without_any_key(pki: Run, site: Path) -> None:
    pki("init")
    foreign = OTHER_ROOT.root()
    (site / ".lab/pki/istio/generation-1/anchor/certificate.pem").write_text(to_pem([foreign.cert]))
    done = pki("verify")
    assert done.returncode == 3
    assert "does-not-chain" in done.stdout
    assert "openssl verify: " in done.stdout


def test_a_chain_of_ones_own_is_checked_against_the_meshs_roots(pki: Run, site: Path, tmp_path: Path) -> None:
    pki("init")
    chain, _ = home_of(site).canary(1, Identity("shop", "web"), NOW, timedelta(hours=1))
    file = tmp_path / "chain.pem"
    file.write_text(chain)
    assert pki("verify", str(file)).returncode == 0
    file.write_text(chain + to_pem([home_of(site).generation(1).anchor]))
    assert pki("verify", str(file)).returncode == 0, "a chain may come with its root"
    (tmp_path / "other.pem").write_text(to_pem([OTHER_ROOT.root().cert]))
    done = pki("verify", str(file), "--anchors", str(tmp_path / "other.pem"))
    assert done.returncode == 3
    assert "does-not-chain" in done.stdout


@pytest.mark.parametrize(
    "content", ["", "junk", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_junk_is_refused_as_junk(content: str, pki: Run, tmp_path: Path) -> None:
    pki("init")
    (tmp_path / "x.pem").write_text(content)
    done = pki("verify", str(tmp_path / "x.pem"))
    assert done.returncode == 3
    assert f"junk: {tmp_path}/x.pem: " in done.stdout


def test_a_corporate_ca_in_a_meshs_bundle_is_refused(pki: Run, site: Path, tmp_path: Path) -> None:
    company = OTHER_ROOT.but(name="Company CA").root()
    (site / "corporate").mkdir()
    (site / "corporate/ca.pem").write_text(to_pem([company.cert]))
    edit(site, lambda mesh: mesh["pki"].update(corporate="corporate"))
    pki("init")
    done = pki("verify")
    assert done.returncode == 0
    assert "apart from 1 corporate CAs" in done.stdout
    root = home_of(site).generation(1).anchor
    chain, _ = home_of(site).canary(1, Identity("shop", "web"), NOW, timedelta(hours=1))
    (tmp_path / "chain.pem").write_text(chain)
    (tmp_path / "bundle.pem").write_text(to_pem([root, company.cert]))
    done = pki("verify", str(tmp_path / "chain.pem"), "--anchors", str(tmp_path / "bundle.pem"))
    assert (done.returncode, "corporate-ca" in done.stdout) == (3, True)
    (site / "corporate/mesh.pem").write_text(to_pem([root]))
    done = pki("verify")
    assert (done.returncode, "corporate-ca" in done.stdout) == (3, True)


def test_alerts_exit_2_only_when_asked_and_something_is_due(pki: Run, site: Path) -> None:
    edit(site, lambda mesh: mesh["pki"].update(anchorLifetime="1h", issuerLifetime="59m", leafLifetime="1m"))
    pki("init")
    document = json.loads(pki("alerts", "-o", "json").stdout)
    # An hour of backdating is half of a life of two hours: the root is due from its birth on.
    assert {line["tier"]: line["state"] for line in document["due"]} == {
        "root": "warning",
        "issuer": "warning",
    }
    assert {line["owner"] for line in document["due"]} == {"whoever runs this lab"}
    assert pki("alerts").returncode == 0
    assert pki("alerts", "--detailed-exitcode").returncode == 2


def test_alerts_exit_0_when_nothing_is_due(pki: Run) -> None:
    pki("init")
    assert pki("alerts", "--detailed-exitcode").returncode == 0


def test_the_exports_name_the_certificates_of_the_home(pki: Run, site: Path) -> None:
    pki("init")
    prints = [fingerprint(home_of(site).generation(1).anchor)]
    assert all(each in pki("alerts", "--metrics").stdout for each in prints)
    assert prints[0] in pki("alerts", "--ics").stdout.replace("\n ", "")
    assert yaml.safe_load(pki("alerts", "--rules").stdout)["groups"][0]["name"] == "rackroll-pki"


def test_rules_are_there_before_any_root_is(pki: Run) -> None:
    """They go into Prometheus once, for every mesh to come."""
    assert pki("alerts", "--rules").returncode == 0


def test_a_mesh_whose_ca_is_not_ours_is_refused_with_what_to_add(pki: Run, site: Path) -> None:
    edit(site, lambda mesh: mesh.pop("pki"))
    for words in (("show",), ("show", "--mesh", "istio")):
        done = pki(*words)
        assert done.returncode == 1
        assert "next: add a pki section" in done.stderr


def test_a_misspelled_mesh_is_answered_with_the_right_one(pki: Run) -> None:
    done = pki("show", "--mesh", "istoi")
    assert done.returncode == 1
    assert "did you mean istio?" in done.stderr
