"""How Consul takes its trust: one call to its Connect CA, which adds the new root, has the old one cross-sign it and
signs with it from then on. Leaves are fetched again within seconds (jittered, paced by CSRMaxPerSecond); the old
root is pruned by Consul itself after twice LeafCertTTL, its cross-signature ends after 7 days.

The built-in provider signs leaves with the root, so the root's key is in Raft: Vault's provider is the way to keep
it out. Sources: consul agent/consul/leader_connect_ca.go, agent/connect/ca/provider_consul.go (docs/pki.md).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from pki.errors import PkiError
from pki.material import IssuerMaterial
from rollout.model.trust import Socket, TrustWay

PUBLIC_LISTENER = 20000
CROSS_SIGNED_FOR = timedelta(days=7)
PROVIDER = "consul"

NOTES = (
    "consul: Consul prunes the old root after twice LeafCertTTL; until then the run waits, or holds and is resumed "
    "[consul leader_connect_ca.go]",
    "consul: the built-in provider keeps the root's key in Raft and its snapshots; use Vault's to keep it out "
    "[consul docs connect/ca]",
)


def way() -> TrustWay:
    return TrustWay(
        socket=Socket(PUBLIC_LISTENER),
        restart_for_trust=False,
        restart_for_leaf=False,
        both_at_once=True,
        prunes=True,
        notes=NOTES,
    )


def next_configuration(now: dict[str, Any], root: IssuerMaterial) -> dict[str, Any]:
    """The configuration to PUT: as it is, with another root. Raises PkiError for what would break in mid-rotation.

    ``now`` is what GET /v1/connect/ca/configuration says. With a LeafCertTTL above half of the cross-signature's life
    the bridge ends before the last old verifier is gone.
    """
    if now.get("Provider") != PROVIDER:
        raise PkiError(
            f"its CA provider is {now.get('Provider')!r}; only the built-in one takes a root from here",
            where="Connect CA",
            hint="rotate in that provider: Consul follows a new RootPKIPath of Vault's by itself",
        )
    config = dict(now.get("Config") or {})
    lives = str(config.get("LeafCertTTL") or "72h")
    if _hours(lives) * 2 >= CROSS_SIGNED_FOR / timedelta(hours=1):
        raise PkiError(
            f"LeafCertTTL is {lives}: twice that outlives the cross-signed certificate's 7 days",
            where="Connect CA",
            hint="set LeafCertTTL below 84h, wait until every leaf is renewed, then rotate",
        )
    if config.get("CSRMaxPerSecond") == 0 and not config.get("CSRMaxConcurrent"):
        raise PkiError(
            "it signs without a limit (CSRMaxPerSecond and CSRMaxConcurrent are 0): every leaf is asked for at once",
            where="Connect CA",
            hint="set CSRMaxPerSecond (50 is Consul's default), then rotate",
        )
    config |= {"PrivateKey": root.key_pem.decode("ascii"), "RootCert": root.chain_pem}
    return {"Provider": PROVIDER, "Config": config, "ForceWithoutCrossSigning": False}


_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def _hours(text: str) -> float:
    """Go's duration, as Consul prints one: 72h0m0s, 90m, 45s. Raises PkiError for anything else: no guess is short."""
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise PkiError(
            f"LeafCertTTL is {text!r}, which is no duration like 72h",
            where="Connect CA",
            hint="set it below 84h, wait until every leaf is renewed, then rotate",
        )
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours + minutes / 60 + seconds / 3600
