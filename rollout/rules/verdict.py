"""The answer to one question about one rule."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.rules.rows import Provenance, Severity


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """``arithmetic`` shows the numbers that were compared, so that a refusal can be checked by hand.

    A verdict of severity ``warn`` never refuses: it belongs among the plan's warnings when it does not hold.
    """

    rule: str
    holds: bool
    arithmetic: str
    fix: str
    provenance: Provenance
    severity: Severity = Severity.REFUSE

    @property
    def refuses(self) -> bool:
        return not self.holds and self.severity is Severity.REFUSE

    @property
    def warns(self) -> bool:
        return not self.holds and self.severity is Severity.WARN
