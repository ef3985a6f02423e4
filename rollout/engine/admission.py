"""What may start. Everything here runs before the first effect, and refuses with a rule."""

from __future__ import annotations

from rollout.engine.approvals import require_approved
from rollout.engine.journal import Fate, Journal, RunEntry, RunRecord
from rollout.engine.observe import observe
from rollout.engine.ports import World
from rollout.model.plan import Plan
from rollout.model.site import Site
from rollout.planner.digest import observed_digest
from rollout.planner.naive import is_negative_control
from rollout.planner.refuse import refuse
from rollout.site.digest import site_digest


def admit(world: World, plan: Plan, journal: Journal, *, negative_control: bool) -> None:
    """One run per site, the site the plan was made for, and a world that has not moved since."""
    other = unfinished(journal)
    if other is not None:
        text = f"run {other.id}, started {other.started}, is not finished"
        raise refuse("RUN-UNFINISHED-01", text, fix="`rackroll resume`, `abort` or `rollback` it")
    same_site(world.site, plan)
    if is_negative_control(plan) and not negative_control:
        text = "this plan replaces every gateway at once"
        raise refuse(
            "PLAN-NEGATIVE-01", text, fix="use `rackroll plan upgrade`; only the demo runs this on purpose"
        )
    if plan.steps:
        _fresh(world, plan)
        require_approved(world.signers, world.site.policy, plan)


def _fresh(world: World, plan: Plan) -> None:
    found = observed_digest(world.site, observe(world))
    if found != plan.observed_digest:
        text = f"the plan was made from {plan.observed_digest[:12]}, the world now is {found[:12]}"
        fix = "charts, nodes, proxies or routes moved since: make the plan again and review it"
        raise refuse("PLAN-STALE-01", text, where=f"plan {plan.id[:12]}", fix=fix)


def admit_resume(site: Site, journal: Journal, *, same_site_only: bool = True) -> RunRecord:
    """The unfinished run. Its own progress moved the world, so only the site is compared."""
    entry = unfinished(journal)
    if entry is None:
        raise refuse("RUN-UNKNOWN-01", f"no unfinished run on {site.name}", fix="`rackroll apply` a plan")
    record = journal.load(entry.id)
    if same_site_only:
        same_site(site, record.plan)
    return record


def newest_run(journal: Journal, *fates: Fate) -> RunRecord:
    """The newest run if its fate is one of these; PlanRefused (RUN-UNKNOWN-01) if not, or if there is none."""
    entry = next(iter(journal.runs()[-1:]), None)
    if entry is None:
        raise refuse("RUN-UNKNOWN-01", "no run is recorded here", fix="`rackroll apply` a plan")
    fate = journal.fate(entry.id)
    if fate not in fates:
        wanted = " or ".join(fate.value for fate in fates)
        text = f"the newest run {entry.id} is {fate.value}, not {wanted}"
        raise refuse("RUN-UNKNOWN-01", text, fix="see `rackroll status`")
    return journal.load(entry.id)


def unfinished(journal: Journal) -> RunEntry | None:
    """Only the newest can be: none starts beside an unfinished one."""
    newest = journal.runs()[-1:]
    return next((entry for entry in newest if journal.fate(entry.id) is Fate.UNFINISHED), None)


def same_site(site: Site, plan: Plan) -> None:
    if plan.site != site.name:
        text = f"the plan is for site {plan.site}, this is {site.name}"
        raise refuse("PLAN-SITE-01", text, fix="name the inventory that the plan was made from")
    found = site_digest(site)
    if plan.site_digest != found:
        text = f"the site file hashed to {plan.site_digest[:12]} then, {found[:12]} now"
        fix = "plan again; to resume a run, put the site file back as it was until it is done"
        raise refuse("PLAN-SITE-01", text, where=str(site.folder), fix=fix)
