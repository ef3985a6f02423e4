"""Whatever the file holds, the answer is one readable error; a crash or a hang would be the first impression."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from rollout.errors import SiteInvalid
from rollout.site.load import LARGEST, load_site
from tests.unit.site_lab import LAB, written

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)

CONTENTS: tuple[tuple[str, str | bytes, str, str], ...] = (
    ("empty", "", ":1: ", "a mapping with the keys: site, ssh, kubernetes"),
    ("comments-only", "# nothing\n\n# here\n", ":1: ", "is nothing"),
    ("list-at-the-top", "- site: lab\n", ":1: ", "is a list; expected a mapping"),
    ("word-at-the-top", "lab\n", ":1: ", "is 'lab'; expected a mapping"),
    ("number-at-the-top", "7\n", ":1: ", "is '7'"),
    ("tab-as-indent", "site: lab\nssh:\n\tuser: root\n", ":3: ", "spaces, not tabs"),
    ("duplicate-key", "site: lab\nssh: {}\nsite: two\n", ":3: ", "repeats the key 'site' of line 1"),
    (
        "duplicate-key-inside",
        "site: lab\nssh:\n  user: a\n  user: b\n",
        ":4: ",
        "repeats the key 'user' of line 3",
    ),
    ("anchors-bomb", BOMB, ":6: ", "more than 200000 values"),
    ("anchor-in-itself", "site: lab\nssh: &a {user: *a}\n", ":2: ", "refers to *a inside itself"),
    ("alias-of-nothing", "site: *lab\n", ":1: ", "refers to *lab"),
    ("deep-brackets", "site: " + "[" * 100_000, ":1: ", "nests deeper than 24 levels"),
    ("deep-braces", "site:\n " + "{a: " * 5_000, ":2: ", "nests deeper than 24 levels"),
    ("unclosed-bracket", "site: lab\nracks: [\n", ":3: ", "is not YAML"),
    ("unclosed-quote", 'site: "lab\n', ":2: ", "quotes and brackets"),
    ("bad-indent", "site: lab\n ssh: 1\n", ":2: ", "is not YAML"),
    ("at-sign", "site: @lab\n", ":1: ", "quotes around @"),
    ("two-documents", "site: lab\n---\nsite: two\n", ":2: ", "a second YAML document"),
    ("python-tag", "site: !!python/object/apply:os.system [id]\n", ":1: ", "uses the YAML tag"),
    ("custom-tag", "site: lab\nssh: !vault {user: x}\n", ":2: ", "uses the YAML tag !vault"),
    ("list-as-key", "site: lab\n[a, b]: c\n", ":2: ", "a key that is not a word"),
    ("alias-as-key", "site: &s lab\n*s : c\n", ":2: ", "a key that is not a word"),
    ("nul-bytes", b"site: lab\n\x00\x00\x00", ":2: ", "control character U+0000"),
    ("escaped-nul", 'site: lab\nssh: {keyFile: "a\\0b"}\n', ":2: ", "escaped control character"),
    ("c1-control", "site: lab\nssh: \u0081\n", ":2: ", "control character U+0081"),
    ("elf-header", b"\x7fELF\x02\x01\x01\x00" + bytes(range(256)), ":2: ", "byte 0x80, which is not UTF-8"),
    (
        "latin-1",
        "site: lab\nssh: {user: müller}\n".encode("latin-1"),
        ":2: ",
        "byte 0xfc, which is not UTF-8",
    ),
    ("utf-16", LAB.encode("utf-16"), ":1: ", "byte 0xff, which is not UTF-8"),
    ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", ":1: ", "not UTF-8"),
    ("json-of-another-thing", '{"apiVersion": "v1", "kind": "Pod"}', ":1: ", "apiVersion: is an unknown key"),
    ("huge-number", "site: " + "9" * 6000 + "\n", ":1: ", "lower-case"),
    ("long-key", "k" * 900 + ": 1\n", ":1: ", "is an unknown key"),
)


@pytest.mark.parametrize(
    ("content", "line", "words"), [c[1:] for c in CONTENTS], ids=[c[0] for c in CONTENTS]
)
def test_content_that_is_no_site_is_answered_in_one_error(
    content: str | bytes, line: str, words: str, tmp_path: Path
) -> None:
    began = time.monotonic()
    with pytest.raises(SiteInvalid) as caught:
        load_site(written(tmp_path, content))
    said = str(caught.value)
    assert any(f"site.yaml{line}" in each and words in each for each in said.splitlines()), said[:2000]
    assert "next: " in said
    assert time.monotonic() - began < 2, "a file must not be able to keep us busy"


def test_a_file_of_sane_content_and_insane_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SiteInvalid, match=f"at most {LARGEST}"):
        load_site(written(tmp_path, LAB + "#" * LARGEST))


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    assert load_site(written(tmp_path, b"\xef\xbb\xbf" + LAB.replace("\n", "\r\n").encode())).name == "lab"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere", "No such file"),
        ("empty-folder", "No such file"),
        ("folder-in-place/site.yaml", "site.yaml/site.yaml: cannot be read: No such file"),
        ("pipe", "not a regular file"),
        ("nul\0in-the-name", "null byte"),
        ("n" * 5000, "File name too long"),
        ("file/below-a-file", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
    ],
)
def test_a_path_that_leads_to_no_file_says_so(target: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "empty-folder").mkdir()
    (tmp_path / "folder-in-place/site.yaml").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SiteInvalid) as caught:
        load_site(f"{tmp_path}/{target}")
    assert words in str(caught.value)
    assert "next: name a folder" in str(caught.value)


def test_a_device_is_refused_unread() -> None:
    with pytest.raises(SiteInvalid, match="not a regular file"):
        load_site("/dev/zero")


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, who may read everything: the refusal is injected."""

    def refused(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    folder = written(tmp_path, LAB)
    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(SiteInvalid, match="cannot be read: Permission denied"):
        load_site(folder)
