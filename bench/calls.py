"""How the planner and the verifier are called here: one place to follow them."""

from __future__ import annotations

from collections.abc import Mapping

from rollout.model.observed import Observed
from rollout.model.plan import Plan
from rollout.model.role import SubjectRole
from rollout.model.site import Site
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from rollout.verify.check import check
from rollout.verify.data import read_rules


def planned(
    site: Site, observed: Observed, roles: Mapping[str, SubjectRole], subject: str, version: str
) -> Plan:
    return plan_upgrade(asked(site, observed, roles, (subject, version)))


def verified(text: str) -> int:
    """The number of states that were checked. Raises Counterexample."""
    return check(text, read_rules(None)).counts["states"]
