"""What a client outside sees."""

from __future__ import annotations

from datetime import timedelta

from rollout.checks.catalogue import catalogue
from rollout.engine.context import Run
from rollout.engine.gather import gather, probe
from rollout.engine.outcome import Done, Word
from rollout.model.gate import Finding, Verdict
from rollout.model.observed import ProbeResult
from rollout.model.step import ProbeVips, Soak

SOAK_CHECK = "VIP-ANSWERS"
CHUNK = 10
SECOND_CHANCES = 2


def probe_vips(run: Run, effect: ProbeVips) -> Done:
    """Asked again until every sample of one round passes; each sample that failed on the way counts as lost."""

    def look() -> str | None:
        results = [probe(run, gateway, effect.samples) for gateway in run.site.gateways]
        short = [_short(r) for r in results if r.ok < max(r.tried, 1)]
        return "; ".join(short) or None

    already = run.until("outside probe", look, hint="look at the path from the probe to the VIP, ToR by ToR")
    return Done(Word.ALREADY if already else Word.DONE)


def _short(result: ProbeResult) -> str:
    why = f" ({result.detail})" if result.detail else ""
    return f"{result.vip}: {result.ok} of {result.tried} answered{why}"


def soak(run: Run, effect: Soak) -> Done | tuple[Finding, ...]:
    """Time and samples must both pass. A lost sample starts the soak afresh; the third one holds the run."""
    if not run.site.gateways:
        run.pause(effect.duration)
        return Done(Word.DONE)
    for _ in range(SECOND_CHANCES):
        if not _soaked(run, effect):
            return Done(Word.DONE)
    return _soaked(run, effect) or Done(Word.DONE)


def _soaked(run: Run, effect: Soak) -> tuple[Finding, ...]:
    """The findings that broke the soak; empty when it went through."""
    end = run.clock.now() + effect.duration / timedelta(seconds=1)
    passed = 0
    check = catalogue()[SOAK_CHECK]
    while run.clock.now() < end or passed < effect.samples:
        finding = check.find(gather(run, (check,), None, probes=CHUNK))
        if finding.verdict is not Verdict.OPEN:
            return (finding,)
        passed += CHUNK
        run.pause(run.tempo.poll)
    return ()
