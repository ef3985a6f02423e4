"""The plan of a rotation: looked up in the key store, seen at the mesh, planned like everything else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollout.engine.ports import World
    from rollout.model.plan import Plan
    from rollout.planner.rotate import Course


def rotation_plan(inventory: Path, mesh: str, *, issuer_only: bool, back: bool) -> Plan:
    """Raises RackrollError for a mesh that the site lacks; what the site file alone can tell is told first."""
    from rollout.cli.world import build_world
    from rollout.planner.refuse import refuse
    from rollout.site.load import load_site

    site = load_site(inventory)
    if mesh not in {each.name for each in site.meshes}:
        names = ", ".join(each.name for each in site.meshes) or "none"
        raise refuse("PLAN-SUBJECT-01", f"site {site.name} has no mesh {mesh!r}", fix=f"its meshes: {names}")
    return course_and_plan(build_world(site), mesh, issuer_only=issuer_only, back=back)[1]


def course_and_plan(
    world: World, mesh: str, *, issuer_only: bool = False, back: bool = False
) -> tuple[Course, Plan]:
    """Also for the drill, which is to plan as an operator does."""
    from rollout.engine.course import course_of
    from rollout.engine.observe import observe
    from rollout.planner.request import asked
    from rollout.planner.rotate import plan_rotate
    from rollout.rules.book import rulebook

    course = course_of(world, mesh, issuer_only=issuer_only, back=back)
    request = asked(world.site, observe(world), world.roles)
    request = replace(request, book=rulebook(world.site.folder), today=datetime.now(UTC).date())
    return course, plan_rotate(request, course)
