"""How a plan is refused: always with a rule's id, the numbers, where the rule comes from, and the fix."""

from __future__ import annotations

from types import MappingProxyType

from rollout.errors import PlanRefused
from rollout.rules.evaluate import RuleVerdict

OURS = MappingProxyType(
    {
        "PLAN-SUBJECT-01": "only a subject that this site has is planned, once",
        "PLAN-VERSION-01": "a version names exactly one release; nothing floats",
        "PLAN-VERSION-02": "a release line without a support row is unknown, and unknown is not planned",
        "PLAN-VERSION-03": "bringup installs what is absent; what runs at another version is an upgrade",
        "PLAN-OBSERVED-01": "what runs must be readable as a version before it can be moved",
        "PLAN-OBSERVED-02": "what runs must be of a release line that the rules know",
        "PLAN-OBSERVED-03": "what moves node by node must have been seen on the nodes: no data is not up to date",
        "PLAN-DOWN-01": "an upgrade never goes below what runs; going back has another order",
        "PLAN-BACK-01": "some subjects cannot go back by being installed again; nothing pretends they could",
        "PLAN-BACKUP-01": "what keeps state is backed up before it moves",
        "PLAN-CHART-02": "a chart's number is known or given, never guessed",
        "PLAN-CONSTRAINT-01": "what the site does not say how to move only limits the others",
        "PLAN-METHOD-01": "releases of two schemes have no order between them",
        "PLAN-VALUES-01": "a chart is upgraded with all the values that it was installed with",
        "PLAN-CHART-01": "a Helm release that is mid-operation belongs to someone",
        "PLAN-OWNED-01": "a cordon or exclude label that is not ours is never worked around",
        "PLAN-DRAIN-01": "MetalLB must have a way to withdraw one node",
        "PLAN-N1-01": "a VIP with fewer than two gateway nodes is emptied by moving one",
        "PLAN-N1-02": "a gateway that is already missing uses up the one that may be out",
        "PLAN-N1-03": "while one gateway node is out, losing any one failure domain must leave every VIP a gateway",
        "PLAN-LIMIT-01": "a limit names nodes that the site has",
        "PLAN-COMMAND-01": "a node's maintenance is a command of the site's own, or a reboot",
        "PLAN-COMMAND-02": "a node is rebooted by a step that waits for its next boot, never by a command",
        "PLAN-ROLLBACK-01": "a rollback goes back to what a plan has recorded as its start",
        "PLAN-TRUST-01": "a mesh's roots are rotated by its role, from a key store that the site names",
        "PLAN-TRUST-02": "a rotation starts from certificates that its own key store knows, in a state that it passes",
        "PLAN-TRUST-03": "a rotation moves every rack: a root that some still need is not removed",
        "PLAN-TRUST-04": "where the root itself signs leaves, only a new generation is a new signer",
        "PLAN-TRUST-05": "a generation is retired when nobody trusts it or serves a leaf of it any more",
        "PLAN-PATH-01": "a plan exists only if some order of hops is legal in every state between",
        "PLAN-PATH-02": "every release on the way is named, by the operator or by the rules' data",
        "PLAN-WINDOW-01": "no wave takes a control plane or identity in hand together with every gateway",
        "PLAN-FORMAT-01": "a plan file is canonical JSON of a known format",
        "PLAN-EDITED-01": "a plan's id is the hash of its content",
        "PLAN-STALE-01": "a plan is applied to what was observed when it was made",
        "PLAN-SITE-01": "a plan is applied with the site file it was made from",
        "PLAN-NEGATIVE-01": "a negative control breaks N-1 on purpose and needs saying so twice",
        "RUN-UNFINISHED-01": "one run per site: an unfinished one is resumed, aborted or rolled back first",
        "RUN-APPROVAL-01": "a plan is applied when as many different people as the site asks have signed its id",
        "RUN-UNKNOWN-01": "only a recorded run that is not over is resumed or aborted",
        "RUN-HOLD-01": "only a run that a process drives can be asked to stop",
        "RUN-ROLLBACK-01": "the newest run is rolled back, once",
    }
)
"""Rules of the planner's own making. Upstream's rules live in ``rollout/rules/data``."""


class RuleRefused(PlanRefused):
    """``rule`` is the stable id that scripts and docs/checks.md know."""

    def __init__(self, rule: str, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(f"{rule}: {message}", where=where, hint=hint)
        self.rule = rule


def refuse(rule: str, arithmetic: str, *, fix: str, where: str = "") -> RuleRefused:
    """A refusal under one of our own rules (a rule that is not listed is a bug)."""
    return RuleRefused(rule, f"{arithmetic} [rackroll: {OURS[rule]}]", where=where, hint=fix)


def require(verdict: RuleVerdict, *, where: str = "") -> None:
    """Raises if the rule refuses, quoting its source and date. What only warns is not this function's business."""
    if not verdict.refuses:
        return
    origin = verdict.provenance
    whose = f"the site's {origin.origin}: " if origin.origin else ""
    text = (
        f"{verdict.arithmetic} [{whose}{origin.source}, read {origin.date.isoformat()}, {origin.confidence}]"
    )
    raise RuleRefused(verdict.rule, text, where=where, hint=verdict.fix)
