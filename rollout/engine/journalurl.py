"""Where a site's journal is: in its run directory, or in the Postgres that a URL names. Passwords are never shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit, urlunsplit

from rollout.errors import SiteInvalid

VARIABLE: Final = "RACKROLL_JOURNAL_URL"
SCHEMES: Final = ("postgresql", "postgres")
EXAMPLE: Final = "postgresql://user:${PASSWORD}@host:5432/database"
BOUNDS: Final = {
    "application_name": "rackroll",
    "connect_timeout": "3",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
    "options": "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=10000",
}
"""Seconds (``tcp_user_timeout``: ms) after which either end gives up on a silent other one. The server's half frees
the lock of a machine that lost its power; the client's half stops a run that nobody can see any more."""
_REFERENCE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class JournalUrl:
    """``dsn`` may hold a password and stays out of every message; ``shown`` is what people see."""

    dsn: str = field(repr=False)
    shown: str


def journal_url(
    from_site: str | None,
    environment: Mapping[str, str] = os.environ,
    *,
    where: str = "site.yaml journal.url",
) -> JournalUrl | None:
    """The environment's RACKROLL_JOURNAL_URL, else the site's ``journal.url`` with its ``${REFERENCES}`` filled in.

    None means a file in the run directory. Raises SiteInvalid for what is no Postgres URL.
    """
    if environment.get(VARIABLE):
        return _read(environment[VARIABLE], VARIABLE)
    if from_site is None:
        return None
    missing = [name for name in _REFERENCE.findall(from_site) if name not in environment]
    if missing:
        text = f"uses ${{{missing[0]}}}, which is not set"
        raise SiteInvalid(text, where=where, hint=f"set it, or set {VARIABLE}")
    return _read(_REFERENCE.sub(lambda found: quote(environment[found[1]], safe=""), from_site), where)


def _read(url: str, where: str) -> JournalUrl:
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        shown = _shown(parts, query)
    except ValueError:
        raise _invalid("is not a URL", where) from None
    if parts.scheme not in SCHEMES:
        raise _invalid("is not a Postgres URL", where)
    if not parts.path.strip("/"):
        raise _invalid("names no database", where)
    bounded = urlencode({**BOUNDS, **query}, quote_via=quote)
    return JournalUrl(urlunsplit(("postgresql", parts.netloc, parts.path, bounded, "")), shown)


def _invalid(what: str, where: str) -> SiteInvalid:
    return SiteInvalid(what, where=where, hint=f"for example {EXAMPLE}")


def _shown(parts: SplitResult, query: Mapping[str, str]) -> str:
    """Raises ValueError for a port that is none."""
    user = f"{parts.username}@" if parts.username else ""
    host = parts.hostname or query.get("host", "")
    port = f":{parts.port}" if parts.port else ""
    return f"postgresql://{user}{host}{port}{parts.path}"
