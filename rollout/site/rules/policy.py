"""Policies that say what they seem to say: a window that opens, a freeze that ends after it began, an alert source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from rollout.model.alerts import NODE, matchers
from rollout.model.policy import ALWAYS_TWO
from rollout.site.places import home_unknown, unset_variables
from rollout.site.problem import FieldPath, Problem
from rollout.site.rules.walk import repeated
from rollout.site.schema import SiteFile
from rollout.site.times import DAYS

_WEEK = timedelta(days=7)


def windows_open_and_close(file: SiteFile, _: Path) -> Iterator[Problem]:
    for index, window in enumerate(file.policy.windows):
        path: FieldPath = ("policy", "windows", index)
        if not timedelta(0) < window.duration <= _WEEK:
            hours = window.duration / timedelta(hours=1)
            yield Problem(
                (*path, "duration"), f"is {hours:g}h", "more than nothing and at most 168h (a week)"
            )
        days: list[tuple[FieldPath, int]] = [((*path, "days", at), day) for at, day in enumerate(window.days)]
        yield from repeated(days, lambda day: f"the day '{DAYS[day - 1]}'", "each day once")


def freezes_end_after_they_begin(file: SiteFile, _: Path) -> Iterator[Problem]:
    for index, freeze in enumerate(file.policy.freezes):
        if freeze.until <= freeze.start:
            path: FieldPath = ("policy", "freezes", index)
            yield Problem((*path, "until"), "is not after the start", "a later moment", other=(*path, "from"))


def approvals_are_enough(file: SiteFile, _: Path) -> Iterator[Problem]:
    """What cuts off whoever was forgotten takes two people, whatever the site says."""
    least = {approval.purpose: approval.people for approval in ALWAYS_TWO}
    places: list[tuple[FieldPath, str]] = []
    for index, approval in enumerate(file.policy.approvals):
        path: FieldPath = ("policy", "approvals", index)
        places.append(((*path, "for"), approval.purpose.value))
        if approval.people < least.get(approval.purpose, 0):
            need = least[approval.purpose]
            what = f"is {approval.people}, but {approval.purpose} cuts off whoever was forgotten"
            yield Problem((*path, "people"), what, f"{need} or more")
    yield from repeated(places, lambda purpose: f"the purpose '{purpose}'", "each purpose once")


def alerts_can_be_asked(file: SiteFile, _: Path) -> Iterator[Problem]:
    alerts = file.policy.alerts
    if alerts is None:
        return
    path: FieldPath = ("policy", "alerts")
    if (wrong := _wrong_url(alerts.url)) is not None:
        yield Problem((*path, "url"), wrong, "http(s)://host[:port][/prefix] of a Prometheus")
    for index, entry in enumerate(alerts.ignore):
        if (wrong := _wrong_pattern(entry)) is not None:
            expected = "an alert's name, or label=pattern pairs with commas, as regular expressions"
            yield Problem((*path, "ignore", index), wrong, expected)


def _wrong_url(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return "is no URL"
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
        return f"is '{url[:60]}'"
    if parts.username or parts.password:
        return "holds credentials, which every plan's reviewer would read (use bearerFile)"
    return "has a query of its own" if parts.query or parts.fragment else None


def _wrong_pattern(entry: str) -> str | None:
    for label, pattern in matchers(entry):
        try:
            re.compile(pattern.replace(NODE, "node"))
        except (re.error, OverflowError, RecursionError) as error:
            return f"has a pattern for {label} that does not compile ({error})"
    return None


def paths_can_be_resolved(file: SiteFile, _: Path) -> Iterator[Problem]:
    fields: list[tuple[FieldPath, str]] = [(("policy", "allowedSigners"), file.policy.allowed_signers)]
    if file.policy.alerts and file.policy.alerts.bearer_file:
        fields.append((("policy", "alerts", "bearerFile"), file.policy.alerts.bearer_file))
    for field, text in fields:
        for name in unset_variables(text):
            yield Problem(
                field, f"uses ${name}, which is not set", "a variable of this environment, or a path"
            )
        if home_unknown(text):
            yield Problem(field, f"is '{text[:60]}': no such user's home", "~/... or a path")
