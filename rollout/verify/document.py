"""The plan's file as plain JSON values: the format, the id, and the steps in order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rollout.verify.finding import Counterexample

FORMAT = "rackroll/plan/v3"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """``do`` is the effect's name, ``wave`` the place of its wave."""

    key: str
    do: str
    effect: Json
    gates: frozenset[str]
    node: str | None
    wave: int


def parse(text: str) -> Json:
    """Counterexample PLAN-FORMAT-01 for what is no plan of this format, PLAN-EDITED-01 if the id does not fit."""
    try:
        plan = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Counterexample("PLAN-FORMAT-01", f"not JSON: {error}") from None
    if not isinstance(plan, dict) or plan.get("format") != FORMAT:
        raise Counterexample("PLAN-FORMAT-01", f"its format is not {FORMAT}")
    found = content_hash(plan)
    if found != plan.get("id"):
        said = str(plan.get("id"))[:12]
        raise Counterexample("PLAN-EDITED-01", f"the file says {said}, its content hashes to {found[:12]}")
    return plan


def content_hash(plan: Json) -> str:
    """SHA-256 over the file's value with an empty id: keys sorted, no spaces, no escapes but JSON's own."""
    text = json.dumps({**plan, "id": ""}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def steps_of(plan: Json) -> Iterator[Step]:
    for place, wave in enumerate(plan["waves"]):
        for stage in wave["stages"]:
            for step in stage["steps"]:
                effect = step["effect"]
                yield Step(step["key"], effect["do"], effect, frozenset(step["gates"]), step["node"], place)
