"""What must be true of the hosts before certificates change hands."""

from __future__ import annotations

from datetime import timedelta

from pki.rotation.gates import MAX_SKEW
from rollout.checks.facts import Absent, Facts, Unknown
from rollout.checks.registry import Answer, Need, Registry, few
from rollout.model.gate import Verdict

PKI = Registry()


@PKI.check(
    "PKI-CLOCK",
    Need.SKEW,
    hint="set those clocks right (`chronyc makestep` once the source is right), then `rackroll resume`",
    standing=False,
)
def wall_clocks_agree(facts: Facts) -> Answer:
    """Do the wall clocks of all nodes, and this machine's, agree to within 10 s?"""
    if isinstance(facts.skews, Absent):
        return Verdict.OPEN, facts.skews.detail
    silent = [f"{each.host}: {each.skew.detail}" for each in facts.skews if isinstance(each.skew, Unknown)]
    known = [(each.host, each.skew, each.error) for each in facts.skews if isinstance(each.skew, timedelta)]
    off = [f"{host} is {_ahead(skew)}" for host, skew, error in known if abs(skew) - error > MAX_SKEW]
    if off:
        return Verdict.CLOSED, f"{few(off)}; at most {MAX_SKEW.total_seconds():g} s allowed"
    if silent:
        return Verdict.INCONCLUSIVE, few(silent, "; ")
    worst = max((abs(skew) for _, skew, _ in known), default=timedelta(0))
    return (
        Verdict.OPEN,
        f"{len(known)} clocks, the furthest {worst.total_seconds():.3f} s from this machine's",
    )


def _ahead(skew: timedelta) -> str:
    seconds = skew.total_seconds()
    return f"{abs(seconds):.1f} s {'ahead' if seconds > 0 else 'behind'}"
