"""Where charts come from: one source, of the kind it says, and there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rollout.site.places import home_unknown, resolved, unset_variables
from rollout.site.problem import Problem
from rollout.site.rules.walk import chart_sources
from rollout.site.schema import SiteFile

_SCHEMES = {"oci": ("oci://",), "http": ("http://", "https://")}


def name_one_source(file: SiteFile, _: Path) -> Iterator[Problem]:
    for path, charts in chart_sources(file):
        named = [key for key in ("oci", "http", "path") if getattr(charts, key) is not None]
        if len(named) != 1:
            what = f"names {' and '.join(named)}" if named else "names no source"
            yield Problem(path, what, "exactly one of: oci, http, path")


def look_like_their_kind(file: SiteFile, _: Path) -> Iterator[Problem]:
    for path, charts in chart_sources(file):
        for key, schemes in _SCHEMES.items():
            value = getattr(charts, key)
            if value is not None and not any(_addresses(value, scheme) for scheme in schemes):
                what, expected = f"is '{value[:60]}'", " or ".join(f"{scheme}host/path" for scheme in schemes)
                yield Problem((*path, key), what, expected)


def _addresses(value: str, scheme: str) -> bool:
    return value.startswith(scheme) and len(value) > len(scheme) and not any(c.isspace() for c in value)


def folder_exists(file: SiteFile, folder: Path) -> Iterator[Problem]:
    for path, charts in chart_sources(file):
        if charts.path is None or unset_variables(charts.path) or home_unknown(charts.path):
            continue
        found = resolved(charts.path, folder)
        if not _is_folder(found):
            yield Problem(
                (*path, "path"), f"is {found}, which is no folder", "a folder with one folder per chart"
            )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name too long for the file system, or unreadable: no folder for us
        return False
