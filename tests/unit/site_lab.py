"""The lab's site file as a text that tests may spoil, one edit at a time."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAB = (
    (ROOT / "inventory/lab/site.yaml")
    .read_text(encoding="utf-8")
    .replace("../../lab/charts", str(ROOT / "lab/charts"))
)


def edited(*edits: tuple[str, str]) -> str:
    """The lab's file after these replacements; each must find exactly what it replaces, once."""
    text = LAB
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in the lab's file"
        text = text.replace(old, new)
    return text


def written(folder: Path, content: str | bytes) -> Path:
    data = content if isinstance(content, bytes) else content.encode()
    (folder / "site.yaml").write_bytes(data)
    return folder


def line_of(text: str, marker: str) -> int:
    """The one line (from 1) that holds the marker."""
    found = [number for number, line in enumerate(text.splitlines(), 1) if marker in line]
    assert len(found) == 1, f"{marker!r} is on lines {found}"
    return found[0]
