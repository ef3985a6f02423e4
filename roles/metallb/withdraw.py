"""How a node stops announcing VIPs, by MetalLB version. Upstream changed its mind in patch releases.

Provenance (facts as of 2026-11-23, sources marked there as official): MetalLB's release notes at v0.16.1 and
``speaker/bgp_controller.go``. 0.14 honours the exclude label (presence, any value); 0.14.9 also withdrew
on cordon (#2470); 0.15.0 reverted that (#2715). 0.13 and older are not described by those notes.
"""

from __future__ import annotations

from dataclasses import dataclass

from rollout.errors import PlanRefused

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"

_OLDEST = (0, 14, 0)
_CORDON_FROM = (0, 14, 9)
_CORDON_UNTIL = (0, 15, 0)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What makes the speaker of one MetalLB version withdraw every VIP of its node.

    ``label`` is the one rackroll sets. ``cordon_withdraws`` is a danger, not a lever: where it holds,
    anybody's ``kubectl cordon`` takes the node out of the ToR.
    """

    label: str
    cordon_withdraws: bool


def withdrawal(version: str) -> Withdrawal:
    """Raises :class:`PlanRefused` for versions whose behaviour is not known: a guess could empty a VIP."""
    number = _number(version)
    if number < _OLDEST:
        raise PlanRefused(
            f"how MetalLB {version} withdraws a VIP is not known",
            where="metallb",
            hint="upgrade MetalLB to 0.14 or newer first",
        )
    return Withdrawal(EXCLUDE_LABEL, cordon_withdraws=_CORDON_FROM <= number < _CORDON_UNTIL)


def _number(version: str) -> tuple[int, int, int]:
    """Release numbers only: a pre-release of 0.15.0 already carries 0.15's code."""
    parts = version.removeprefix("v").split("-", 1)[0].split("+", 1)[0].split(".")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise PlanRefused(f"{version!r} is not a MetalLB version", where="metallb", hint="write it as 0.16.1")
    major, minor, patch = (int(part) for part in parts)
    return major, minor, patch
