"""The calendar in the Prometheus text format, for a textfile collector or any HTTP server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

from pki.alerts.due import Tier, Watched

NOT_AFTER = "rackroll_pki_not_after_timestamp_seconds"
NOT_BEFORE = "rackroll_pki_not_before_timestamp_seconds"
ROOTS = "rackroll_pki_roots"
WRITTEN = "rackroll_pki_written_timestamp_seconds"


def metrics(found: Iterable[Watched], now: datetime) -> str:
    """``WRITTEN`` says how old the file is: a collector goes on serving one that nobody writes any more."""
    lines = tuple(found)
    roots = Counter((one.site, one.mesh) for one in lines if one.tier is Tier.ROOT)
    text = _family(NOT_AFTER, "When the certificate expires.", lines, lambda one: one.ends)
    text += _family(NOT_BEFORE, "When the certificate became valid.", lines, _begins)
    text += head(ROOTS, "Roots of the mesh that are not retired.")
    text += "".join(
        f"{ROOTS}{{site={quoted(site)},mesh={quoted(mesh)}}} {count}\n"
        for (site, mesh), count in roots.items()
    )
    return (
        text
        + head(WRITTEN, "When these metrics were written.")
        + "".join(
            f"{WRITTEN}{{site={quoted(site)}}} {seconds(now)}\n"
            for site in dict.fromkeys(one.site for one in lines)
        )
    )


def _begins(one: Watched) -> datetime:
    return one.certificate.not_valid_before_utc


def _family(name: str, says: str, found: tuple[Watched, ...], when: Callable[[Watched], datetime]) -> str:
    return head(name, says) + "".join(f"{name}{_labels(one)} {seconds(when(one))}\n" for one in found)


def head(name: str, says: str) -> str:
    return f"# HELP {name} {says}\n# TYPE {name} gauge\n"


def _labels(one: Watched) -> str:
    pairs = {
        "site": one.site,
        "mesh": one.mesh,
        "tier": one.tier.value,
        "generation": str(one.generation),
        "issuer": "" if one.issuer is None else str(one.issuer),
        "fingerprint": one.fingerprint,
        "owner": one.owner,
    }
    return "{" + ",".join(f"{key}={quoted(value)}" for key, value in pairs.items()) + "}"


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def seconds(moment: datetime) -> str:
    return str(int(moment.timestamp()))
