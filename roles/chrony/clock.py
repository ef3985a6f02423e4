"""chrony.conf as text, ``chronyc -c tracking`` as facts, and the verdict on an offset. Pure."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

from rollout.errors import SiteInvalid
from rollout.model.clock import Tracking as Tracking
from rollout.model.clock import parse_tracking as parse_tracking
from rollout.model.site import ClockProfile

CONF_FILE = "/etc/chrony/chrony.conf"
SYNC_TIMEOUT = timedelta(seconds=30)
"""How long after a restart a source may take. iburst needs about 4.3 s at default polling, 0.8 s at minpoll 0."""

SETTLE_TIMEOUT = timedelta(seconds=15)
"""How long a synchronised clock may take to come within bounds; a step, where allowed, is done by then and
measured once more, at default polling two seconds later."""


def checked(profile: ClockProfile) -> ClockProfile:
    if not profile.servers:
        raise SiteInvalid("no time server", where="clock.servers", hint="name at least one; three is better")
    for server in profile.servers:
        if not server or any(character.isspace() for character in server):
            raise SiteInvalid(
                f"{server!r} is no host name", where="clock.servers", hint="one name or address a line"
            )
    return profile


def render(profile: ClockProfile) -> str:
    step = f"makestep {profile.makestep_threshold.total_seconds():g} {profile.makestep_updates}"
    return "\n".join(
        (
            "# Written by rackroll from the site file; local changes are overwritten.",
            *(f"server {server} iburst{_polling(server)}" for server in profile.servers),
            step,
            "maxupdateskew 100.0",
            "driftfile /var/lib/chrony/chrony.drift",
            "keyfile /etc/chrony/chrony.keys",
            "rtcsync",
            "confdir /etc/chrony/conf.d",
            "",
        )
    )


def _polling(server: str) -> str:
    """Our own servers (private addresses) may be asked every second at first: 0.8 s to synchronise instead of 4.3 s."""
    try:
        private = ip_address(server).is_private
    except ValueError:
        private = False
    return " minpoll 0 maxpoll 6" if private else ""


def verdict(tracking: Tracking | None, profile: ClockProfile) -> str | None:
    """What is wrong with this clock, or None. A certificate's validity is judged by this clock: no guess is made."""
    if tracking is None:
        return "chronyd does not answer"
    if tracking.offset is None:
        return f"not synchronised with any of {', '.join(profile.servers)}"
    if tracking.offset > profile.max_offset:
        return (
            f"{_ms(tracking.offset)} away from {tracking.source}, at most {_ms(profile.max_offset)} allowed"
        )
    return None


def _ms(value: timedelta) -> str:
    return f"{value / timedelta(milliseconds=1):.3f} ms"
