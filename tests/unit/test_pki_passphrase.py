"""The passphrase comes from a private file or the environment, and is in no message."""

from __future__ import annotations

from pathlib import Path

import pytest

from pki.errors import PkiError
from pki.passphrase import VARIABLE, LatePassphrase, read_passphrase
from pki.stores.file import FileStore

WORD = "correct horse battery staple"


def private(path: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def test_the_first_line_of_a_private_file_is_the_passphrase(tmp_path: Path) -> None:
    for ending in ("", "\n", "\r\n"):
        found = read_passphrase(private(tmp_path / "p", f"{WORD}{ending}"), {})
        assert found.secret() == WORD.encode()


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    file = private(tmp_path / "p", f"{WORD}\n")
    found = read_passphrase(file, {VARIABLE: "another long passphrase"})
    assert (found.secret(), found.source) == (b"another long passphrase", f"the variable {VARIABLE}")


WRONG = {
    "neither": (None, 0o600, "there is no passphrase"),
    "absent": (b"", None, "no passphrase: No such file"),
    "open to others": (f"{WORD}\n", 0o640, "can be read by others"),
    "empty": ("", 0o600, "has 0 lines"),
    "two lines": (f"{WORD}\n{WORD}\n", 0o600, "has 2 lines"),
    "short": ("hunter2\n", 0o600, "has 7 characters"),
    "long": ("x" * 1024, 0o600, "at most 1023 bytes"),
    "not text": (b"\xff\xfe\xfa" * 9, 0o600, "is not text"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_passphrase_that_cannot_be_used_is_refused_without_being_shown(name: str, tmp_path: Path) -> None:
    content, mode, what = WRONG[name]
    file = None if content is None else tmp_path / "p"
    if file is not None and mode is not None:
        assert content is not None
        private(file, content, mode)
    with pytest.raises(PkiError) as caught:
        read_passphrase(file, {})
    said = str(caught.value)
    assert what in said
    assert "\n  next: " in said
    assert not any(word in said for word in (WORD, "hunter2", "xxxx"))


def test_a_passphrase_is_in_no_repr(tmp_path: Path) -> None:
    file = private(tmp_path / "p", f"{WORD}\n")
    late = LatePassphrase(file)
    assert late.secret()
    assert WORD not in f"{read_passphrase(file, {})!r} {late!r} {FileStore(late)!r}"


def test_a_late_passphrase_is_not_read_before_it_is_needed(tmp_path: Path) -> None:
    late = LatePassphrase(tmp_path / "absent")
    with pytest.raises(PkiError, match="no passphrase"):
        late.secret()


def test_a_key_that_is_not_sealed_is_not_opened(tmp_path: Path) -> None:
    """Somebody put a key in the clear there: using it would make that normal."""
    store = FileStore(LatePassphrase(private(tmp_path / "p", f"{WORD}\n")))
    private(tmp_path / "key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(PkiError, match="not an encrypted PKCS#8 key"):
        store.open(tmp_path)


def test_a_key_that_others_can_read_is_not_opened(tmp_path: Path) -> None:
    store = FileStore(LatePassphrase(private(tmp_path / "p", f"{WORD}\n")))
    store.create(tmp_path)
    assert store.open(tmp_path)
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(PkiError, match=r"can be read by others \(mode 644\)"):
        store.open(tmp_path)
