"""Odd chains, in the manner of x509-limbo: each case through our verifier and through the real `openssl verify`.

Where the two differ, the case says why; the table in docs/decisions/pki-keys.md is made of these.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pki.profile import profile
from pki.verify.chain import verify_chain
from pki.verify.openssl import openssl_refusal
from pki.verify.reason import Reason
from tests.unit import odd_chains_contents, odd_chains_links
from tests.unit.odd_certificates import NOW
from tests.unit.odd_chain import ACCEPTS, REFUSES, Case

CASES: tuple[Callable[[], Case], ...] = (*odd_chains_links.CASES, *odd_chains_contents.CASES)


@pytest.mark.parametrize("made", CASES, ids=lambda made: made.__name__)
def test_ours_and_openssl_say_of_each_odd_chain_what_its_case_says(made: Callable[[], Case]) -> None:
    each = made()
    ours = verify_chain(each.chain, each.anchors, profile(each.mesh, each.domain), now=NOW)
    assert {refusal.reason.value for refusal in ours} == set(each.words), "\n".join(map(str, ours))
    said = openssl_refusal(each.chain, each.anchors, now=NOW)
    assert (said is None) == (each.openssl == ACCEPTS), said


@pytest.mark.parametrize("made", CASES, ids=lambda made: made.__name__)
def test_a_case_says_why_the_two_differ_exactly_where_they_do(made: Callable[[], Case]) -> None:
    each = made()
    assert bool(each.differs) == (bool(each.words) and each.openssl == ACCEPTS)
    assert not (not each.words and each.openssl == REFUSES), "openssl is stricter than ours: that is a bug"


ELSEWHERE = {"junk", "key-mismatch", "public-ca", "corporate-ca", "mesh-ca"}
"""Not a matter of a chain: tests of bundles, homes and foreign stores reach them."""


def test_every_word_is_reached_by_some_case() -> None:
    reached = {word for made in CASES for word in made().words}
    assert reached == {reason.value for reason in Reason} - ELSEWHERE


def test_each_case_has_its_specification() -> None:
    assert all((made.__doc__ or "").strip().endswith(".") for made in CASES)
