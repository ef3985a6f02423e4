"""Live leaves under the names that roots and issuers have, from a census: the same rules then watch them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pki.alerts.metrics import NOT_AFTER, NOT_BEFORE, head, quoted, seconds
from pki.rotation.sighting import Party

UNSEEN = "rackroll_pki_unseen_proxies"


@dataclass(frozen=True, slots=True)
class Whose:
    """What every line of one census carries."""

    site: str
    mesh: str
    owner: str


def leaf_metrics(whose: Whose, parties: Iterable[Party]) -> str:
    """Prometheus text. A proxy without a visible leaf is counted, or its silence would look like health."""
    found = tuple(parties)
    seen = [(party, party.leaf) for party in found if party.leaf is not None]
    text = head(NOT_AFTER, "When the certificate expires.")
    text += "".join(f"{NOT_AFTER}{_labels(whose, p)} {seconds(leaf.not_after)}\n" for p, leaf in seen)
    text += head(NOT_BEFORE, "When the certificate became valid.")
    text += "".join(f"{NOT_BEFORE}{_labels(whose, p)} {seconds(leaf.not_before)}\n" for p, leaf in seen)
    text += head(UNSEEN, "Proxies of the mesh whose leaf nobody could see.")
    return text + f"{UNSEEN}{_pairs({'site': whose.site, 'mesh': whose.mesh})} {len(found) - len(seen)}\n"


def _labels(whose: Whose, party: Party) -> str:
    assert party.leaf is not None
    return _pairs(
        {
            "site": whose.site,
            "mesh": whose.mesh,
            "tier": "leaf",
            "fingerprint": party.leaf.sha256,
            "owner": whose.owner,
            "pod": f"{party.namespace}/{party.name}",
            "node": party.node,
            "rack": party.rack,
        }
    )


def _pairs(labels: dict[str, str]) -> str:
    return "{" + ",".join(f"{key}={quoted(value)}" for key, value in labels.items()) + "}"
