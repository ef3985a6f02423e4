"""One plan, looked at in full. The answer is what was checked, or the first thing that does not hold."""

from __future__ import annotations

from collections import Counter
from itertools import zip_longest
from typing import Any

from rollout.verify.data import Rules
from rollout.verify.document import Json, Step, parse, steps_of
from rollout.verify.evaluate import Judge, Said
from rollout.verify.finding import Checked, Counterexample, refute
from rollout.verify.releases import Unplaced
from rollout.verify.replay import Judged, Replay, State
from rollout.verify.trust import Trust

PROOF = "VERIFY-PROOF-01"


def check(text: str, rules: Rules) -> Checked:
    """Raises Counterexample. ``text`` is the plan file's."""
    plan = parse(text)
    try:
        return _check(plan, rules)
    except (KeyError, TypeError, IndexError, ValueError) as error:
        text = f"the file lacks what a plan has: {type(error).__name__} {error}"
        raise Counterexample("PLAN-FORMAT-01", text) from None


def _check(plan: Json, rules: Rules) -> Checked:
    proof = plan["proof"]
    steps = list(steps_of(plan))
    _unique([step.key for step in steps])
    for used in proof["rules"]:
        rules.compare(used)
    replay = Replay(proof["start"], rules, len(plan["waves"]))
    _handovers(plan, steps)
    stated = proof["states"]
    states = list(replay.states(iter(steps)))
    for found, said in zip_longest(states, stated):
        _same_state(found, said)
    _configurations(replay, proof["configurations"])
    _windows(replay, plan)
    undo = _way_back(replay, proof)
    _listed(replay, proof, undo)
    checked = Checked(plan["id"])
    checked.counts = {
        "steps": len(steps),
        "gates": replay.visits.gates,
        "nodes": len(replay.visits.seen),
        "states": len(stated),
        "configurations": len(replay.judged),
        "moves taken back": len(replay.undone),
        "waves": len(plan["waves"]),
        "rules": len(proof["rules"]),
    }
    checked.notes = _notes(plan, rules)
    return checked


def _handovers(plan: Json, steps: list[Step]) -> None:
    trust = Trust(plan["kind"], plan["proof"]["start"])
    for step in steps:
        trust.step(step)
    trust.end()


def _unique(keys: list[str]) -> None:
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        refute(
            "VERIFY-ORDER-01",
            f"two steps are called {twice[0]}: a resume could not tell them apart",
            step=twice[0],
        )


def _same_state(found: State | None, said: dict[str, Any] | None) -> None:
    if found is None or said is None:
        where = said["step"] if said else found.step if found else ""
        refute(PROOF, "the proof states more or fewer states than the steps make", step=where)
        return
    here = (found.step, found.configuration, found.serving, found.during)
    there = (said["step"], said["configuration"], said["serving"], said["during"])
    if here != there:
        text = f"the steps make {_state(*here)}; the proof states {_state(*there)}"
        refute(PROOF, text, step=found.step)


def _state(step: str, configuration: int, serving: int, during: bool) -> str:
    return (
        f"{'during' if during else 'after'} {step} configuration {configuration + 1} with {serving} gateways"
    )


def _configurations(replay: Replay, stated: list[dict[str, Any]]) -> None:
    for number, (found, said) in enumerate(zip_longest(replay.judged, stated), start=1):
        if found is None or said is None:
            refute(
                PROOF, f"the proof states {len(stated)} configurations, the steps make {len(replay.judged)}"
            )
            return
        mix = {(r["subject"], r["component"]): tuple(r["versions"]) for r in said["running"]}
        if mix != found.mix:
            refute(
                PROOF,
                f"configuration {number} is not what the steps make",
                state=str(sorted(found.mix.items())),
            )
        verdicts = frozenset(Said(v["rule"], v["holds"], v["severity"]) for v in said["verdicts"])
        if verdicts != found.said:
            odd = ", ".join(sorted({v.rule for v in verdicts ^ found.said}))
            refute(PROOF, f"configuration {number}: what the proof says of {odd} is not what the rules say")


def _windows(replay: Replay, plan: Json) -> None:
    stated = plan["proof"]["windows"]
    total = len(replay.fleet.gateway_nodes)
    waves = zip(plan["waves"], replay.wave_control, replay.wave_gateways, strict=True)
    found = [(wave["name"], sorted(control), len(gateways)) for wave, control, gateways in waves]
    for name, control, gateways in found:
        if control and 0 < total <= gateways:
            text = f"wave {name} moves {', '.join(control)} and all {gateways} gateway nodes"
            refute("PLAN-WINDOW-01", text, state=name)
    if found != [(w["wave"], sorted(w["control"]), w["gateways"]) for w in stated]:
        refute(PROOF, "what the proof says each wave moves is not what its steps move")


def _way_back(replay: Replay, proof: dict[str, Any]) -> set[str]:
    """Ids of the rules that speak of it. The first refused move back is the point of no return."""
    stated = {(u["subject"], u["before"], u["after"]): u["verdicts"] for u in proof["undo"]}
    if set(stated) != set(replay.undone):
        refute(PROOF, "the moves that the way back takes are not those that the steps made")
    asked: set[str] = set()
    end: tuple[str, str] | None = None
    for move, step in replay.undone.items():
        said = _jump(replay, move)
        asked |= {one.rule for one in said}
        if frozenset(said) != {Said(v["rule"], v["holds"], v["severity"]) for v in stated[move]}:
            refute(
                PROOF,
                f"what the proof says of going back from {move[1]} to {move[2]} is not what the rules say",
            )
        refused = next((one.rule for one in said if one.refuses), None)
        end = end or ((step, refused) if refused else None)
    claimed = proof["no_return"]
    if end != ((claimed["step"], claimed["rule"]) if claimed else None):
        refute(PROOF, f"the point of no return is {end or 'nowhere'}, the proof states {claimed or 'none'}")
    return asked


def _jump(replay: Replay, move: tuple[str, str, str]) -> list[Said]:
    name, before, after = move
    fleet = replay.fleet
    try:
        return list(Judge(replay.rules, fleet.kind(name), fleet.methods.get(name, "any")).jump(before, after))
    except Unplaced:
        return []


def _listed(replay: Replay, proof: dict[str, Any], undo: set[str]) -> None:
    used = {said.rule for judged in replay.judged for said in judged.said} | undo
    stated = {rule["id"] for rule in proof["rules"]}
    if used != stated:
        refute("VERIFY-RULES-01", f"rules used and rules listed differ in {', '.join(sorted(used ^ stated))}")
    start: Judged = replay.judged[0]
    if {v["rule"] for v in proof["found"]} != {said.rule for said in start.said if said.refuses}:
        refute(PROOF, "what the proof says was broken at the start is not what the rules say")
    unplaced = {name for judged in replay.judged for name in judged.unplaced}
    if {text.partition(":")[0] for text in proof["unchecked"]} != unplaced:
        refute(PROOF, f"what no rule can be asked about is {', '.join(sorted(unplaced)) or 'nothing'}")


def _notes(plan: Json, rules: Rules) -> list[str]:
    notes = [f"the site's own row replaces ours: {id_}" for id_ in rules.overridden]
    if plan["proof"]["rules_digest"] != rules.digest:
        notes.append("rule files changed since the plan was made; none of the rules that it uses did")
    if plan["proof"]["no_return"]:
        notes.append(f"no way back from {plan['proof']['no_return']['step']} on")
    return notes
