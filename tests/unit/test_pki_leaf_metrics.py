"""Live leaves are watched by the rules that watch roots; a proxy that nobody saw is counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from pki.alerts.leaves import Whose, leaf_metrics
from pki.alerts.rules import rules
from pki.rotation.sighting import Authority, LiveLeaf, Party

BEGINS, ENDS = datetime(2026, 11, 28, 10, tzinfo=UTC), datetime(2026, 11, 29, 10, tzinfo=UTC)
LEAF = LiveLeaf("d" * 64, Authority("a" * 64, "b" * 64), "spiffe://td/ns/shop/sa/web", BEGINS, ENDS)
WEB = Party("web", "shop", "n1", "r1", LEAF, frozenset({"a" * 64}))
WHOSE = Whose("fra1", "public", "mesh-oncall@fra1.example")


def test_a_live_leaf_has_both_ends_under_the_names_that_the_rules_ask_for() -> None:
    text = leaf_metrics(WHOSE, [WEB])
    labels = (
        f'{{site="fra1",mesh="public",tier="leaf",fingerprint="{"d" * 64}",'
        'owner="mesh-oncall@fra1.example",pod="shop/web",node="n1",rack="r1"}'
    )
    lines = text.splitlines()
    assert f"rackroll_pki_not_after_timestamp_seconds{labels} {int(ENDS.timestamp())}" in lines
    assert f"rackroll_pki_not_before_timestamp_seconds{labels} {int(BEGINS.timestamp())}" in lines
    asked = str(rules())
    assert "rackroll_pki_not_after_timestamp_seconds" in asked
    assert "leaf" in asked


def test_a_proxy_that_nobody_saw_is_counted_and_has_no_ends() -> None:
    text = leaf_metrics(WHOSE, [WEB, replace(WEB, name="mute", leaf=None)])
    assert 'rackroll_pki_unseen_proxies{site="fra1",mesh="public"} 1' in text.splitlines()
    assert "mute" not in text
