"""``rackroll approve``: put one's name to a saved plan, or see who has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.options import inventory_option, output_option
from rollout.cli.output import emit, say

if TYPE_CHECKING:
    from rollout.engine.approvals import Approval
    from rollout.model.plan import Plan


@click.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@click.option("--as", "principal", metavar="NAME", help="Your name in the site's allowed_signers file.")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="Your SSH private key, or a .pub whose key your agent holds. It is used where it is, never copied.",
)
@inventory_option
@output_option
def approve(plan_file: Path, principal: str | None, key: Path | None, inventory: Path, output: str) -> None:
    """Sign a saved plan's id with your SSH key; without --as, show who has signed.

    The id is the hash of everything the plan says: a plan that was made again, or edited, must be signed again.
    """
    from rollout.adapters.signatures import SshSigners
    from rollout.engine.admission import same_site
    from rollout.engine.approvals import approval
    from rollout.planner.codec import read_plan
    from rollout.site.load import load_site

    if (principal is None) != (key is None):
        raise click.UsageError("--as and --key go together: whose name, and the key that proves it")
    plan, site = read_plan(plan_file), load_site(inventory)
    same_site(site, plan)
    signers = SshSigners(site)
    if principal is not None and key is not None:
        say(f"signing {_about(plan)}")
        say(f"signed: {signers.sign(plan.id, principal, key.expanduser())}")
    found = approval(signers, site.policy, plan)
    emit(_document(plan, found), output, lambda: _sentence(plan, found))


def _about(plan: Plan) -> str:
    moves = ", ".join(f"{t.subject} {t.before or 'nothing'} to {t.after}" for t in plan.targets)
    reason = f"; break-glass: {plan.options.break_glass}" if plan.options.break_glass else ""
    return f"plan {plan.id[:12]}: {plan.kind} of {plan.site} ({moves or 'no version'}), {plan.steps} steps{reason}"


def _document(plan: Plan, found: Approval) -> dict[str, Any]:
    return {
        "plan": plan.id,
        "needed": found.needed,
        "purposes": list(found.purposes),
        "people": [list(person) for person in found.people],
        "missing": found.missing,
        "rejected": list(found.rejected),
    }


def _sentence(plan: Plan, found: Approval) -> str:
    from rollout.engine.approvals import told

    return f"plan {plan.id[:12]}: {told(found) if found.needed else 'nobody must sign it on this site'}"
