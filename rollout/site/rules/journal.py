"""The journal's URL: one that the journal can use, and no secret in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from rollout.site.problem import Problem
from rollout.site.schema import SiteFile

URL = ("journal", "url")


def holds_no_password(file: SiteFile, _: Path) -> Iterator[Problem]:
    """Whoever reads the site file would own the record of what was done to it."""
    if file.journal is None:
        return
    try:
        parts = urlsplit(file.journal.url)
        passwords = [parts.password or "", *parse_qs(parts.query).get("password", [])]
    except ValueError:
        yield Problem(URL, "is not a URL", "postgresql://user:${PASSWORD}@host:5432/database")
        return
    if any(word and not word.startswith("${") for word in passwords):
        yield Problem(URL, "holds a password", "${NAME}, a variable of the environment, in its place")
    if parts.scheme not in ("postgresql", "postgres") and not file.journal.url.startswith("${"):
        yield Problem(URL, "is not a Postgres URL", "postgresql://user:${PASSWORD}@host:5432/database")
