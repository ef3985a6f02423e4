"""A generation's keys are destroyed only when nobody can be found that needs it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pki.rotation.sighting import Authority, Copy, LiveLeaf, Party, Sighting
from rollout.cli.pki_retire import uses

OLD, NEW = "a" * 64, "b" * 64
SIGNER = Authority(NEW, "c" * 64)
LEAF = LiveLeaf("d" * 64, SIGNER, "spiffe://td/ns/shop/sa/web", datetime.now(UTC), datetime.now(UTC))
WEB = Party("web", "shop", "n1", "r1", LEAF, frozenset({NEW}))
AFTER = Sighting((NEW,), SIGNER, (Copy("ConfigMap shop", frozenset({NEW})),), (WEB,), frozenset({OLD, NEW}))


def test_after_a_finished_rotation_nobody_uses_the_old_generation() -> None:
    assert list(uses(AFTER, OLD)) == []


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (replace(AFTER, published=(OLD, NEW)), "published bundle"),
        (replace(AFTER, signer=Authority(OLD, "e" * 64)), "the mesh signs with it"),
        (replace(AFTER, signer=None), "nobody can tell who signs"),
        (replace(AFTER, copies=(Copy("ConfigMap shop", frozenset({OLD})),)), "ConfigMap shop holds it"),
        (replace(AFTER, parties=(replace(WEB, trusts=frozenset({OLD, NEW})),)), "web on n1 trusts it"),
        (replace(AFTER, parties=(replace(WEB, leaf=None),)), "web on n1 cannot be seen"),
        (replace(AFTER, parties=(replace(WEB, trusts=None),)), "web on n1 cannot be seen"),
        (
            replace(AFTER, parties=(replace(WEB, leaf=replace(LEAF, by=Authority(OLD, "e" * 64))),)),
            "serves a leaf of it",
        ),
        (replace(AFTER, parties=(replace(WEB, leaf=replace(LEAF, by=None)),)), "a leaf of nobody we know"),
    ],
)
def test_whoever_uses_it_or_cannot_be_seen_keeps_it(seen: Sighting, why: str) -> None:
    (said,) = uses(seen, OLD)
    assert why in said
