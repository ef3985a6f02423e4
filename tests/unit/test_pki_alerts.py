"""What is due, by tier and share of life; the calendar and the metrics say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from pki.alerts.due import Due, State, Tier, Watched, calendar, state_of, watched
from pki.alerts.ics import ics
from pki.alerts.metrics import NOT_AFTER, NOT_BEFORE, ROOTS, WRITTEN, metrics
from pki.fingerprint import fingerprint
from pki.material import Generation, IssuerCert
from pki.mint import BACKDATE
from tests.unit.odd_certificates import DAY, ISSUER, NOW, ROOT

SECOND = timedelta(seconds=1)
LIFE = 100 * DAY
ROOT_CERT = ROOT.but(begins=NOW, ends=NOW + LIFE).root()
ISSUER_CERT = ISSUER.but(begins=NOW, ends=NOW + LIFE).under(ROOT_CERT)
OWNER = 'mesh, "on-call"; team\\a'


def one(tier: Tier, generation: int = 1) -> Watched:
    cert = ROOT_CERT.cert if tier is Tier.ROOT else ISSUER_CERT.cert
    return Watched("fra1", "public", OWNER, tier, generation, None if tier is Tier.ROOT else 1, cert)


@pytest.mark.parametrize(
    ("tier", "left", "before", "after"),
    [
        (Tier.ROOT, 0.5, State.OK, State.WARNING),
        (Tier.ROOT, 0.25, State.WARNING, State.CRITICAL),
        (Tier.ISSUER, 0.5, State.OK, State.WARNING),
        (Tier.ISSUER, 0.25, State.WARNING, State.CRITICAL),
        (Tier.LEAF, 0.5, State.OK, State.OK),
        (Tier.LEAF, 0.25, State.OK, State.CRITICAL),
        (Tier.ROOT, 0.0, State.CRITICAL, State.EXPIRED),
        (Tier.LEAF, 0.0, State.CRITICAL, State.EXPIRED),
    ],
)
def test_a_state_changes_just_below_its_share(tier: Tier, left: float, before: State, after: State) -> None:
    moment = NOW + LIFE * (1 - left)
    assert state_of(one(tier), moment) is before
    assert state_of(one(tier), moment + SECOND) is after


def generation(number: int, begins: datetime, issuers: int = 1) -> Generation:
    root = ROOT.but(unit=f"g{number}", begins=begins - BACKDATE, ends=NOW + 900 * DAY).root()
    below = tuple(
        IssuerCert(n, ISSUER.but(unit=f"g{number}.{n}", begins=begins, ends=begins + LIFE).under(root).cert)
        for n in range(1, issuers + 1)
    )
    return Generation(number, root.cert, below)


def due(*generations: Generation, now: datetime = NOW) -> tuple[Due, ...]:
    return calendar(watched("fra1", "public", OWNER, generations), now)


def test_only_the_newest_issuer_of_a_generation_is_watched() -> None:
    names = [line.watched.name for line in due(generation(1, NOW, issuers=3))]
    assert names == ["public root g1", "public issuer g1.3"]


def test_two_roots_are_fine_for_a_week_and_then_the_older_one_is_due() -> None:
    both = (generation(1, NOW - 90 * DAY), generation(2, NOW))
    at_the_limit = due(*both, now=NOW + 7 * DAY)
    assert [line.state for line in at_the_limit if line.watched.tier is Tier.ROOT] == [State.OK, State.OK]
    after = due(*both, now=NOW + 7 * DAY + SECOND)
    states = {line.watched.name: line.state for line in after if line.watched.tier is Tier.ROOT}
    assert states == {"public root g1": State.TOO_MANY_ROOTS, "public root g2": State.OK}
    assert "retire this root" in after[0].next


def test_an_expired_root_is_expired_whatever_stands_beside_it() -> None:
    old = replace(
        generation(1, NOW - 90 * DAY), anchor=ROOT.but(begins=NOW - LIFE, ends=NOW - DAY).root().cert
    )
    [first, *_] = due(old, generation(2, NOW - 30 * DAY))
    assert first.state is State.EXPIRED


def test_two_meshes_with_a_root_each_are_not_two_roots_of_one() -> None:
    found = [
        *watched("fra1", "a", OWNER, [generation(1, NOW - 90 * DAY)]),
        *watched("fra1", "b", OWNER, [generation(2, NOW - 30 * DAY)]),
    ]
    assert State.TOO_MANY_ROOTS not in {line.state for line in calendar(found, NOW)}


def test_every_due_line_says_what_to_do_and_who() -> None:
    for line in due(generation(1, NOW - 90 * DAY)):
        assert bool(line.next) == (line.state is not State.OK)
        assert line.watched.owner == OWNER


def unfolded(text: str) -> list[str]:
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    return text.replace("\r\n ", "").split("\r\n")[:-1]


def events(text: str) -> Iterator[dict[str, str]]:
    body = "\n".join(unfolded(text))
    for block in re.findall(r"BEGIN:VEVENT\n(.*?)\nEND:VEVENT", body, re.DOTALL):
        yield dict(line.split(":", 1) for line in block.split("\n"))


def test_the_calendar_has_each_threshold_of_each_tier() -> None:
    text = ics([one(Tier.ROOT), one(Tier.LEAF)], NOW)
    found = {(event["SUMMARY"], event["DTSTART"]) for event in events(text)}
    half, quarter, end = (NOW + LIFE * share for share in (0.5, 0.75, 1))
    assert found == {
        (r"fra1: public root g1: half of its life is left\, plan its rotation", f"{half:%Y%m%dT%H%M%SZ}"),
        (r"fra1: public root g1: a quarter of its life is left\, rotate it now", f"{quarter:%Y%m%dT%H%M%SZ}"),
        ("fra1: public root g1 expires", f"{end:%Y%m%dT%H%M%SZ}"),
        (
            r"fra1: public leaf g1.1: a quarter of its life is left\, rotate it now",
            f"{quarter:%Y%m%dT%H%M%SZ}",
        ),
        ("fra1: public leaf g1.1 expires", f"{end:%Y%m%dT%H%M%SZ}"),
    }


def test_an_owner_with_any_letters_is_escaped_and_folded_whole() -> None:
    text = ics([replace(one(Tier.ROOT), owner="Zoë; ops, night\nBEGIN:VEVENT " + "é" * 90)], NOW)
    [first, *_] = events(text)
    assert first["CONTACT"] == r"Zoë\; ops\, night\nBEGIN:VEVENT " + "é" * 90
    assert text.count("\r\nBEGIN:VEVENT") == 3


def test_the_same_certificate_keeps_its_event_ids() -> None:
    first, second = (
        [event["UID"] for event in events(ics([one(Tier.ROOT)], now))] for now in (NOW, NOW + 9 * DAY)
    )
    assert first == second
    assert len(set(first)) == 3


def test_metrics_have_both_ends_the_number_of_roots_and_their_own_age() -> None:
    text = metrics([one(Tier.ROOT), one(Tier.ISSUER), one(Tier.ROOT, 2)], NOW)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    print_of = fingerprint(ROOT_CERT.cert)
    head = f'{{site="fra1",mesh="public",tier="root",generation="1",issuer="",fingerprint="{print_of}",'
    owner = r'owner="mesh, \"on-call\"; team\\a"}'
    assert f"{NOT_AFTER}{head}{owner} {int((NOW + LIFE).timestamp())}" in lines
    assert f"{NOT_BEFORE}{head}{owner} {int(NOW.timestamp())}" in lines
    assert f'{ROOTS}{{site="fra1",mesh="public"}} 2' in lines
    assert lines[-1] == f'{WRITTEN}{{site="fra1"}} {int(NOW.timestamp())}'
