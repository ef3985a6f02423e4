"""The policy section: what it says becomes the model, what it leaves out is cautious, and plans notice a change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from rollout.model.policy import ALWAYS_TWO, Approval, Policy, Purpose, Waves, people_needed
from rollout.site.digest import site_digest
from rollout.site.jsonschema import json_schema
from rollout.site.load import load_site
from tests.unit.site_lab import LAB, ROOT, written
from tests.unit.test_site_fuzz import POLICY


def test_a_file_without_a_policy_moves_one_node_then_one_rack_and_asks_nobody(tmp_path: Path) -> None:
    policy = load_site(written(tmp_path, LAB)).policy
    assert policy == Policy(allowed_signers=str(tmp_path / "allowed_signers"))
    assert (policy.waves, policy.windows, policy.alerts) == (Waves(), (), None)
    assert not policy.images_required


def test_what_a_policy_says_is_what_the_model_holds(tmp_path: Path) -> None:
    policy = load_site(written(tmp_path, LAB + POLICY)).policy
    (window,), (freeze,) = policy.windows, policy.freezes
    assert (window.days, window.start, window.duration) == ((1,), time(22), timedelta(hours=4))
    assert window.timezone == "Europe/Berlin"
    assert freeze.start == datetime(2026, 12, 17, 23, tzinfo=UTC)
    assert policy.approvals == (Approval(Purpose.UPGRADE, 1),)
    assert policy.alerts is not None
    assert (policy.alerts.url, policy.alerts.ignore) == ("http://prometheus:9090", ("A, node={node}",))
    assert policy.alerts.bearer_file == str(tmp_path / "token")
    assert (policy.conntrack_limit, policy.images_required) == (0.7, True)
    assert policy.rules_max_age == timedelta(days=90)
    assert policy.waves == Waves(False, True, 1.5, 0.34, 2, timedelta(minutes=1), 9)


def test_fra1_shows_every_part_of_a_policy() -> None:
    policy = load_site(ROOT / "inventory/fra1").policy
    assert policy.windows
    assert policy.freezes
    assert policy.alerts is not None
    assert policy.images_required


@pytest.mark.parametrize("share", ["0.7", "70%"])
def test_a_share_may_be_written_both_ways(share: str, tmp_path: Path) -> None:
    text = f"{LAB}\npolicy: {{conntrackLimit: {share}}}\n"
    assert load_site(written(tmp_path, text)).policy.conntrack_limit == 0.7


def test_a_plan_notices_that_the_policy_changed(tmp_path: Path) -> None:
    before = site_digest(load_site(written(tmp_path, LAB + POLICY)))
    assert site_digest(load_site(written(tmp_path, LAB + POLICY))) == before
    for old, new in (("22:00", "21:00"), ("people: 1", "people: 2"), ("W}", "X}"), ("34%", "33%")):
        assert site_digest(load_site(written(tmp_path, LAB + POLICY.replace(old, new, 1)))) != before, old


def test_the_schema_that_editors_use_knows_the_policy() -> None:
    names = json_schema()["$defs"]["PolicySection"]["properties"]
    assert {"windows", "freezes", "approvals", "alerts", "waves", "images"} <= set(names)


def test_two_people_for_what_cuts_off_whoever_was_forgotten_whatever_the_site_says() -> None:
    lax = Policy(approvals=(Approval(Purpose.STRICT, 1), Approval(Purpose.UPGRADE, 3)))
    assert people_needed(lax, Purpose.STRICT) == 2
    assert people_needed(lax, Purpose.UPGRADE) == 3
    assert people_needed(lax, Purpose.MAINTAIN) == 0
    assert {approval.people for approval in ALWAYS_TWO} == {2}
