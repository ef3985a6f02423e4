"""A site of one's own: the same racks under another name and loopback range, so that labs do not collide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LAB_LOOPBACK = "127.90."


def copy_site(source: Path, folder: Path, *, name: str, loopback: str) -> Path:
    """Write ``folder/site.yaml``: ``source``'s lab site named ``name`` with ssh addresses under ``loopback``.

    ``loopback`` is two octets and a dot, for example ``127.89.``. Relative chart paths become absolute, for
    they are relative to the file. Returns ``folder``.
    """
    document = yaml.safe_load((source / "site.yaml").read_text(encoding="utf-8"))
    document["site"] = name
    moved = _moved(document, source, loopback)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site.yaml").write_text(yaml.safe_dump(moved, sort_keys=False), encoding="utf-8")
    return folder


def with_upstream_metallb(folder: Path, charts: Path) -> None:
    """Let the copied site install upstream's own MetalLB chart, from the folder that holds it."""
    file = folder / "site.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document["metallb"]["charts"] = {"path": str(charts)}
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def _moved(value: Any, source: Path, loopback: str) -> Any:
    if isinstance(value, dict):
        return {key: _moved_field(key, item, source, loopback) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, source, loopback) for item in value]
    if isinstance(value, str) and value.startswith(LAB_LOOPBACK):
        return loopback + value.removeprefix(LAB_LOOPBACK)
    return value


def _moved_field(key: str, value: Any, source: Path, loopback: str) -> Any:
    if key == "charts" and isinstance(value, dict) and "path" in value:
        return {**value, "path": str((source / value["path"]).resolve())}
    return _moved(value, source, loopback)
