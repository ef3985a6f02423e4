"""The proof as text: configurations by what changed, every state of a small plan, a summary of a big one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rollout.model.proof import Configuration, Proof, ProvenState, Verdict
from rollout.rules.n1 import RULE, floor

MOST_STATES = 60
"""More than this nobody reads line by line: they are summed up by configuration."""


def render_proof(proof: Proof) -> Iterator[str]:
    """Nothing for a plan that passes through no state but its start."""
    if len(proof.states) < 2:
        return
    yield ""
    number = len(proof.configurations)
    mixes = f"{number} configuration{'s' if number > 1 else ''} of versions"
    yield f"Proof: {len(proof.states)} states forward, {mixes}"
    yield from _configurations(proof)
    yield from _states(proof) if len(proof.states) <= MOST_STATES else _summary(proof)
    yield from _back(proof)
    yield from _checked(proof)


def _configurations(proof: Proof) -> Iterator[str]:
    last: Configuration | None = None
    for number, configuration in enumerate(proof.configurations, start=1):
        yield f"  {number}. {_versions(configuration, last)}"
        for verdict in _news(configuration, last):
            yield f"     {_verdict(verdict)}"
        last = configuration


def _versions(configuration: Configuration, last: Configuration | None) -> str:
    """Of the first everything, of the others what differs from the one before."""
    known = set(last.running) if last else set()
    subjects = groupby((r for r in configuration.running if r not in known), key=lambda r: r.subject)
    texts = (
        f"{name} {', '.join(f'{r.component} {_both(r.versions)}' for r in rows)}" for name, rows in subjects
    )
    return "; ".join(texts) or "as before, without what is gone"


def _both(versions: tuple[str, ...]) -> str:
    return " and ".join(versions)


def _news(configuration: Configuration, last: Configuration | None) -> Iterator[Verdict]:
    known = set(last.verdicts) if last else set()
    yield from (verdict for verdict in configuration.verdicts if verdict not in known)


def _verdict(verdict: Verdict) -> str:
    word = "holds" if verdict.holds else {"warn": "warns"}.get(verdict.severity, "BROKEN")
    return f"{verdict.rule} {word}: {verdict.arithmetic}"


def _states(proof: Proof) -> Iterator[str]:
    for state in proof.states:
        serving = _serving(proof, state.serving)
        yield f"  {serving}configuration {state.configuration + 1}  {_when(state)}{_n1(proof, state)}"


def _serving(proof: Proof, serving: int) -> str:
    return f"gateways {serving}/{proof.gateways_total}, " if proof.gateways_total else ""


def _when(state: ProvenState) -> str:
    return f"{'during' if state.during else 'after'} {state.step}"


def _n1(proof: Proof, state: ProvenState) -> str:
    begin = proof.states[0].serving
    short = state.serving < floor(proof.gateways_total) and state.serving < begin
    return f"  {RULE} BROKEN" if short else ""


def _summary(proof: Proof) -> Iterator[str]:
    for number, run in groupby(proof.states, key=lambda state: state.configuration):
        states = list(run)
        low, high = min(s.serving for s in states), max(s.serving for s in states)
        serving = f", gateways {low}..{high} of {proof.gateways_total}" if proof.gateways_total else ""
        last = f" to {states[-1].step}" if len(states) > 1 else ""
        yield f"  configuration {number + 1}: {len(states)} states{serving}, {_when(states[0])}{last}"


def _back(proof: Proof) -> Iterator[str]:
    """What a plan installed for the first time has nothing to go back to."""
    end = proof.no_return
    if len(proof.configurations) == 1:
        yield "  no version moves: there is nothing to take back"
        return
    first, last = ({(r.subject, r.component) for r in proof.configurations[i].running} for i in (0, -1))
    if end is None and last <= first:
        yield "  way back from each of them: the same states reversed, data plane first, control plane last"
    if end is None:
        return
    yield f"  way back: the same states reversed, but none from {end.step} on"
    yield f"     {end.rule}: {end.arithmetic}"


def _checked(proof: Proof) -> Iterator[str]:
    for verdict in proof.found:
        yield f"  broken already at the start, and not made worse: {_verdict(verdict)}"
    for text in proof.unchecked:
        yield f"  not checked: {text}"
    names = sorted({rule.id for rule in proof.rules} | ({RULE} if proof.gateways_total else set()))
    yield f"  checked in them: {', '.join((*names, 'PLAN-WINDOW-01'))}"
