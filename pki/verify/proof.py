"""Nothing that was minted is used before two verifiers believe it: ours, and the ``openssl`` program."""

from __future__ import annotations

from datetime import datetime

from pki.errors import PkiError
from pki.profile import Profile
from pki.verify.chain import Chain, verify_chain
from pki.verify.openssl import openssl_refusal


def prove(chain: Chain, anchors: Chain, profile: Profile, *, now: datetime) -> None:
    """Raises PkiError with every reason where either verifier refuses the chain under these anchors."""
    reasons = [str(refusal) for refusal in verify_chain(chain, anchors, profile, now=now)]
    said = openssl_refusal(chain, anchors, now=now)
    if said is not None:
        reasons.append(f"openssl verify: {said}")
    if reasons:
        hint = "nothing was published; correct the cause and mint again"
        raise PkiError("a minted chain is refused: " + "; ".join(reasons), hint=hint)
