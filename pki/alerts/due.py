"""When a certificate is due, in shares of its own life: fixed days misfire on 24-hour leaves and on 10-year roots.

Roots and issuers warn when half of their life is left and are critical at a quarter; leaves are critical at a quarter
(a mesh renews them at half or 70 %, so a quarter left means that renewal fails).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509

from pki.fingerprint import fingerprint
from pki.material import Generation
from pki.mint import BACKDATE

ROOTS_TOGETHER = timedelta(days=7)
"""How long a mesh may trust more than one root before that is a rotation somebody forgot."""


class Tier(StrEnum):
    ROOT = "root"
    ISSUER = "issuer"
    LEAF = "leaf"


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    EXPIRED = "expired"
    TOO_MANY_ROOTS = "too-many-roots"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Shares of a life that are left; None: this tier has no such stage."""

    warning: float | None
    critical: float


THRESHOLDS = {
    Tier.ROOT: Threshold(0.5, 0.25),
    Tier.ISSUER: Threshold(0.5, 0.25),
    Tier.LEAF: Threshold(None, 0.25),
}


@dataclass(frozen=True, slots=True)
class Watched:
    """A certificate that somebody answers for. ``owner`` is never empty: the site file refuses that."""

    site: str
    mesh: str
    owner: str
    tier: Tier
    generation: int
    issuer: int | None
    certificate: x509.Certificate

    @property
    def name(self) -> str:
        number = "" if self.issuer is None else f".{self.issuer}"
        return f"{self.mesh} {self.tier.value} g{self.generation}{number}"

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.certificate)

    @property
    def ends(self) -> datetime:
        return self.certificate.not_valid_after_utc

    @property
    def life(self) -> timedelta:
        return self.ends - self.certificate.not_valid_before_utc

    def left(self, now: datetime) -> float:
        """The share of its life that is left; negative once it has expired."""
        return (self.ends - now) / self.life

    def reaches(self, share: float) -> datetime:
        """When only this share of its life is left."""
        return self.ends - self.life * share


@dataclass(frozen=True, slots=True)
class Due:
    """One line of the calendar, as of now: ``next`` is what to do, empty where nothing is."""

    watched: Watched
    state: State
    left: float
    next: str


def watched(site: str, mesh: str, owner: str, generations: Iterable[Generation]) -> Iterator[Watched]:
    """Every root that is not retired, and the newest issuer under each: older ones sign nothing any more."""
    for each in generations:
        yield Watched(site, mesh, owner, Tier.ROOT, each.number, None, each.anchor)
        for issuer in each.issuers[-1:]:
            yield Watched(site, mesh, owner, Tier.ISSUER, each.number, issuer.number, issuer.certificate)


def state_of(one: Watched, now: datetime) -> State:
    """Below a threshold, not at it: at exactly half a root is still fine."""
    left, limits = one.left(now), THRESHOLDS[one.tier]
    if left < 0:
        return State.EXPIRED
    if left < limits.critical:
        return State.CRITICAL
    if limits.warning is not None and left < limits.warning:
        return State.WARNING
    return State.OK


def calendar(
    found: Iterable[Watched], now: datetime, together: timedelta = ROOTS_TOGETHER
) -> tuple[Due, ...]:
    """What is due of one or several meshes, in their order; roots that stand beside a newer one too long as well."""
    all_of_them = tuple(found)
    lines = [Due(one, state_of(one, now), one.left(now), _next(one, all_of_them, now)) for one in all_of_them]
    return tuple(_aged(line, all_of_them, now, together) for line in lines)


def _aged(line: Due, found: tuple[Watched, ...], now: datetime, together: timedelta) -> Due:
    newer = _newer_root(line.watched, found)
    if line.state is not State.OK or newer is None or line.watched.tier is not Tier.ROOT:
        return line
    since = newer.certificate.not_valid_before_utc + BACKDATE
    if now - since <= together:
        return line
    hint = f"generation {newer.generation} is there since {since:%Y-%m-%d}: finish the rotation and retire this root"
    return Due(line.watched, State.TOO_MANY_ROOTS, line.left, hint)


def _newer_root(one: Watched, found: tuple[Watched, ...]) -> Watched | None:
    """The oldest of the newer roots: the clock runs from the day on which there were two."""
    newer = (
        other
        for other in found
        if other.mesh == one.mesh and other.tier is Tier.ROOT and other.generation > one.generation
    )
    return next(newer, None)


def _next(one: Watched, found: tuple[Watched, ...], now: datetime) -> str:
    if state_of(one, now) is State.OK:
        return ""
    if _newer_root(one, found) is not None:
        return "finish the rotation to the newer generation, which retires this one"
    if one.tier is Tier.ISSUER:
        return f"mint an issuer under generation {one.generation} and move the mesh to it"
    if one.tier is Tier.ROOT:
        return "begin a new generation and rotate to it"
    return "find out why the mesh does not renew it"
