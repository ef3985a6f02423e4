"""The proof of a plan: every state on the way there judged by the rules, and how far the same way leads back.

Computed, never asserted: nothing is said here that was not put through the rules' own evaluator.
``rackroll verify`` does it all again with other code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rollout.model.observed import Observed
from rollout.model.plan import Wave
from rollout.model.proof import Configuration, Proof, ProvenState, Running, Verdict
from rollout.model.role import SubjectRole
from rollout.model.site import Site
from rollout.planner.back import point_of_no_return, undos
from rollout.planner.fleet import Fleet
from rollout.planner.fleet_start import start, start_of
from rollout.planner.refuse import refuse, require
from rollout.planner.used import used_rules
from rollout.planner.walk import Judged, Judgements, State, states
from rollout.planner.windows import broken, wave_moves
from rollout.rules.book import RuleBook
from rollout.rules.evaluate import RuleVerdict
from rollout.rules.n1 import arithmetic, floor


@dataclass(frozen=True, slots=True)
class _Walked:
    """One plan's walk: the fleet at its start, all states, and the distinct configurations they point at."""

    begin: Fleet
    observed: Observed
    states: tuple[State, ...]
    judged: Sequence[Judged]
    restarts: Mapping[str, RuleVerdict]


def prove(
    site: Site,
    observed: Observed,
    roles: Mapping[str, SubjectRole],
    book: RuleBook,
    waves: tuple[Wave, ...],
) -> Proof:
    """Raises RuleRefused for the first state that breaks a rule which the start did not break already."""
    walked = _walk(start(site, observed, roles), observed, book, waves)
    _require_known(walked)
    _require_rules(walked)
    for key, verdict in walked.restarts.items():
        require(verdict, where=f"if a pod restarts at {key}")
    _require_n1(walked)
    proof = _proof(walked, book, waves)
    for moves in proof.windows:
        if broken(moves, proof.gateways_total):
            text = (
                f"wave {moves.wave} moves {', '.join(moves.control)} and all {moves.gateways} gateway nodes"
            )
            raise refuse("PLAN-WINDOW-01", text, fix="this order is never planned")
    return proof


def describe(
    site: Site,
    observed: Observed,
    roles: Mapping[str, SubjectRole],
    book: RuleBook,
    waves: tuple[Wave, ...],
) -> Proof:
    """The same without refusing, for the negative control: it shows where N-1 breaks."""
    return _proof(_walk(start(site, observed, roles), observed, book, waves), book, waves)


def _walk(begin: Fleet, observed: Observed, book: RuleBook, waves: tuple[Wave, ...]) -> _Walked:
    judgements = Judgements(book, tuple(begin.subjects[name] for name in sorted(begin.subjects)))
    passed = tuple(states(begin, waves, judgements))
    return _Walked(begin, observed, passed, judgements.judged, judgements.restarts)


def _proof(walked: _Walked, book: RuleBook, waves: tuple[Wave, ...]) -> Proof:
    begin, judged = walked.begin, walked.judged
    back = undos(book, walked.states)
    used = {v.rule for j in judged for v in j.verdicts} | {v.rule for undo in back for v in undo.verdicts}
    return Proof(
        start=start_of(begin, walked.observed),
        configurations=tuple(_configuration(one) for one in judged),
        states=tuple(ProvenState(s.step, s.configuration, s.fleet.serving, s.during) for s in walked.states),
        undo=back,
        windows=wave_moves(walked.states, waves),
        rules=used_rules(book, used),
        rules_digest=book.digest,
        found=tuple(_verdict(v) for v in judged[0].refusing),
        unchecked=tuple(sorted({text for one in judged for text in one.unchecked})),
        no_return=point_of_no_return(book, walked.states),
    )


def _configuration(judged: Judged) -> Configuration:
    running = tuple(Running(*key, versions) for key, versions in judged.versions)
    return Configuration(running, tuple(_verdict(v) for v in judged.verdicts))


def _verdict(verdict: RuleVerdict) -> Verdict:
    return Verdict(verdict.rule, verdict.holds, verdict.arithmetic, verdict.severity.value)


def _require_known(walked: _Walked) -> None:
    """What moves must be in reach of the rules in every state; what stays as it is may be beyond them."""
    first = dict(walked.judged[0].versions)
    moved = {key[0] for one in walked.judged for key, found in one.versions if first.get(key) != found}
    for judged in walked.judged:
        for text in judged.unchecked:
            if text.partition(":")[0] in moved:
                fix = "bring it to a known release by hand, or add the line's row to the rules' data"
                raise refuse("PLAN-OBSERVED-02", f"what is to be moved cannot be judged: {text}", fix=fix)


def _require_rules(walked: _Walked) -> None:
    """A start that breaks a rule may be repaired step by step, as long as no pair of versions joins the broken ones."""
    known = walked.judged[0].offences
    seen: set[int] = set()
    for state in walked.states:
        judged = walked.judged[state.configuration]
        if state.configuration in seen or judged.offences <= known:
            continue
        seen.add(state.configuration)
        new = {rule for rule, _ in judged.offences - known}
        for verdict in judged.refusing:
            if verdict.rule in new:
                require(verdict, where=f"{'during' if state.during else 'after'} {state.step}")


def _require_n1(walked: _Walked) -> None:
    """Only what this plan takes away counts against it; what was out before is the preconditions' business."""
    begin, total = walked.begin, len(walked.begin.gateway_nodes)
    for state in walked.states:
        ours = (state.fleet.out - begin.out) or (state.fleet.dark - begin.dark)
        if ours and state.fleet.serving < floor(total):
            text = f"after {state.step}: {arithmetic(state.fleet.serving, total)}"
            raise refuse("PLAN-N1-01", text, fix="this order is never planned")


def warnings_of(proof: Proof) -> Iterator[str]:
    """What an operator must know before anything moves: where the way back ends, and what no rule refuses."""
    end = proof.no_return
    if end is not None:
        yield f"point of no return: {end.step}; {end.rule}: {end.arithmetic}"
    for verdict in proof.found:
        yield f"broken already at the start, {verdict.rule}: {verdict.arithmetic}"
    for configuration in proof.configurations:
        for verdict in configuration.verdicts:
            if not verdict.holds and verdict.severity == "warn":
                yield f"{verdict.rule}: {verdict.arithmetic}"
    yield from (f"no rule can be asked about {text}" for text in proof.unchecked)
