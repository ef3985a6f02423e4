"""Root keys in a token (SoftHSM): they sign, a home works with them as with files, and nothing gets them out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.errors import PkiError
from pki.home import PkiHome
from pki.profile import Identity, profile
from pki.stores.token import TokenStore
from pki.verify.chain import verify_chain
from tests.unit.pki_homes import NOW, store
from tests.unit.site_lab import ROOT
from tests.unit.softhsm import LIBRARY, MISSING, PIN, make_tokens

pytestmark = [
    pytest.mark.skipif(MISSING, reason="no SoftHSM: scripts/os-packages softhsm2 opensc"),
    pytest.mark.usefixtures("place"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One set of tokens for the module: SoftHSM reads its configuration once in a process."""
    folder = tmp_path_factory.mktemp("hsm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", make_tokens(folder, "roots", "other")["SOFTHSM2_CONF"])
        yield folder


def tokens(place: Path, token: str = "roots") -> TokenStore:  # noqa: S107 - a label
    assert LIBRARY is not None
    return TokenStore(LIBRARY, token, place / "pin")


@pytest.fixture
def own(place: Path, tmp_path: Path) -> PkiHome:
    return PkiHome(tmp_path / "home", profile("linkerd", "cluster.local"), tokens(place), store())


def objects() -> int:
    """How many objects the token `roots` holds, as another program sees it."""
    argv = ["pkcs11-tool", "--module", str(LIBRARY), "--token-label", "roots", "--login"]
    done = subprocess.run([*argv, "--pin", PIN, "--list-objects"], capture_output=True, text=True, check=True)
    return done.stdout.count("label:")


def test_a_generation_with_its_root_in_a_token_is_as_good_as_any(own: PkiHome) -> None:
    made = own.begin(NOW)
    own.reissue(1, NOW)
    assert verify_chain((made.issuers[0].certificate,), (made.anchor,), own.profile, now=NOW) == ()
    assert own.canary(1, Identity("shop", "web"), NOW, timedelta(hours=1))
    second = own.begin(NOW)
    assert own.cross_signed(second.number, 1, NOW, timedelta(days=7))


def test_the_key_file_says_where_the_key_is_and_nothing_of_it(own: PkiHome) -> None:
    own.begin(NOW)
    text = (own.folder / "generation-1/anchor/key").read_text()
    assert text.startswith("pkcs11:token=roots;object=rackroll-")
    assert "PRIVATE KEY" not in text


def test_the_root_key_cannot_be_exported_in_any_way(own: PkiHome) -> None:
    own.begin(NOW)
    key = own.anchor_keys.open(own.folder / "generation-1/anchor")
    with pytest.raises(PkiError, match="does not leave it"):
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(PkiError, match="does not leave it"):
        key.private_numbers()
    with pytest.raises(PkiError, match="does not leave it"):
        key.exchange(ec.ECDH(), ec.generate_private_key(ec.SECP256R1()).public_key())
    assert repr(key).startswith("TokenKey(token roots, rackroll-")


def test_the_token_itself_calls_the_key_unextractable(own: PkiHome) -> None:
    """What `pkcs11-tool` says, which knows nothing of us."""
    own.begin(NOW)
    label = (own.folder / "generation-1/anchor/key").read_text().split("object=")[1].split(";")[0]
    argv = ["pkcs11-tool", "--module", str(LIBRARY), "--token-label", "roots", "--login", "--pin", PIN]
    said = subprocess.run(
        [*argv, "--list-objects", "--type", "privkey"], capture_output=True, text=True, check=True
    ).stdout
    [block] = [block for block in said.split("Private Key Object") if label in block]
    assert "never extractable" in block
    assert "always sensitive" in block


def test_a_signature_of_the_token_verifies(own: PkiHome) -> None:
    own.begin(NOW)
    key = own.anchor_keys.open(own.folder / "generation-1/anchor")
    key.public_key().verify(key.sign(b"x", ec.ECDSA(hashes.SHA256())), b"x", ec.ECDSA(hashes.SHA256()))


def test_retiring_destroys_the_key_in_the_token(own: PkiHome) -> None:
    before = objects()
    own.begin(NOW)
    own.begin(NOW)
    assert objects() == before + 4
    own.retire(1)
    assert objects() == before + 2


def test_consuls_root_in_a_token_stays_there(place: Path, tmp_path: Path) -> None:
    own = PkiHome(tmp_path / "home", profile("consul", "1-2.consul"), tokens(place), store())
    own.begin(NOW)
    with pytest.raises(PkiError, match="does not leave it"):
        own.signing_root_material(1)


def test_a_home_looks_into_its_own_token_only(own: PkiHome, place: Path) -> None:
    own.begin(NOW)
    other = tokens(place, "other")
    with pytest.raises(PkiError, match="the key is in the token 'roots', not in 'other'"):
        other.open(own.folder / "generation-1/anchor")


def test_keys_in_files_are_not_looked_for_in_a_token(place: Path, tmp_path: Path) -> None:
    files = PkiHome(tmp_path / "home", profile("istio", "cluster.local"), store(), store())
    files.begin(NOW)
    with pytest.raises(PkiError, match="does not say where in the token"):
        tokens(place).open(files.folder / "generation-1/anchor")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("token", "there is no such token"),
        ("module", "cannot be loaded"),
        ("no pin", "no PIN: No such file"),
        ("open pin", "can be read by others"),
        ("wrong pin", "the PIN is wrong"),
    ],
)
def test_a_token_that_cannot_be_opened_is_refused_and_mints_nothing(
    change: str, what: str, tmp_path: Path
) -> None:
    """In processes of their own: a login holds for a whole process."""
    pin = tmp_path / "pin"
    if change != "no pin":
        pin.touch(mode=0o600)
        pin.write_text("9999-9999\n" if change == "wrong pin" else f"{PIN}\n")
        pin.chmod(0o644 if change == "open pin" else 0o600)
    module = tmp_path / "none.so" if change == "module" else LIBRARY
    label = "nobody" if change == "token" else "roots"
    before = objects()
    done = minted(tmp_path, f"TokenStore(Path({str(module)!r}), {label!r}, Path({str(pin)!r}))")
    assert done.returncode == 1
    assert what in done.stdout
    assert "next: " in done.stdout
    assert not (tmp_path / "home/generation-1").exists()
    assert objects() == before


def test_without_the_extra_a_token_is_refused_with_what_to_install(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    (tmp_path / "key").write_text("pkcs11:token=roots;object=rackroll-1;type=private\n")
    for act in (tokens(place).open, tokens(place).destroy):
        with pytest.raises(PkiError, match=r"rackroll\[hsm\]"):
            act(tmp_path)


def test_a_kill_between_the_token_and_the_certificate_leaves_no_key_behind(
    own: PkiHome, place: Path, tmp_path: Path
) -> None:
    before = objects()
    keys = f"TokenStore(Path({str(LIBRARY)!r}), 'roots', Path({str(place / 'pin')!r}))"
    done = minted(tmp_path, keys, "import pki.home; pki.home.mint_trust_anchor = lambda *_, **__: die()")
    assert done.returncode == -signal.SIGKILL
    assert objects() == before + 2
    assert own.generations() == ()
    assert own.begin(NOW, after=0).number == 1
    assert objects() == before + 2
    assert not list(own.folder.glob(".making-*"))


def minted(folder: Path, keys: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """`begin` in another process, with ``before`` run first; a PkiError goes to stdout and exits 1."""
    script = f"""
import os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from pki.errors import PkiError
from pki.home import PkiHome
from pki.profile import profile
from pki.stores.token import TokenStore
from tests.unit.pki_homes import store
def die(): os.kill(os.getpid(), signal.SIGKILL)
{before}
try:
    own = PkiHome(Path({str(folder / "home")!r}), profile("linkerd", "cluster.local"), {keys}, store())
    own.begin(datetime.now(UTC))
except PkiError as error:
    print(error)
    sys.exit(1)
"""
    argv = [sys.executable, "-c", script]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, env=dict(os.environ))
