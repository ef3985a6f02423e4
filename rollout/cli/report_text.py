"""A report as text: a table for terminals, Markdown for a ticket, a document for programs. The same facts in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rollout.engine.compare import Difference
from rollout.engine.report import RunReport, StepReport, Stop
from rollout.planner.canonical import plain

FORMAT = "rackroll/report/v1"
_MARKS = {"done": "✓", "already": "=", "held": "‖", "failed": "✗", "interrupted": "‖"}


def as_document(found: RunReport) -> dict[str, Any]:
    document: dict[str, Any] = plain(found)
    return {"format": FORMAT, **document}


def as_table(found: RunReport, *, steps: bool) -> str:
    """Ends without a newline."""
    lines = [f"{found.site}: {found.kind} {found.run} is {found.word}"]
    lines += [f"  {text}" for text in _moved(found)]
    lines += [f"  {name:<17}{value}" for name, value in _facts(found)]
    lines += ["", "Waves", *_indented(_columns([_HEAD, *_waves(found)]))]
    if found.stops:
        lines += ["", "What stopped it", *(f"  {line}" for stop in found.stops for line in _stop(stop))]
    if steps:
        lines += ["", "Steps", *(f"  {line}" for line in _steps(found.steps))]
    return "\n".join([*lines, "", *_diff(found)])


def _moved(found: RunReport) -> Iterator[str]:
    for target in found.targets:
        yield f"{target.subject}: {target.before or 'not installed'} -> {target.after}"


def _facts(found: RunReport) -> Iterator[tuple[str, str]]:
    yield "started", found.started
    yield "steps", f"{found.steps_done} of {found.steps_total} in {_time(found.seconds)}"
    yield "gateways in RIB", _lowest(found)
    yield "probes lost", str(found.lost)
    for each in found.next_hops:
        against = "not counted by the plan" if each.planned is None else f"planned {each.planned}"
        naive = "" if each.naive is None else f", one component at a time {each.naive}"
        yield "next-hop changes", f"{each.vip}: at least {each.seen} seen, {against}{naive}"
    for line in found.left:
        yield "left half-done", line
    if found.detail:
        yield "now", found.detail.replace("\n", "\n" + " " * 19)


def _lowest(found: RunReport) -> str:
    if found.lowest is None:
        return f"never sampled; N-1 is {found.floor} of {found.gateways}"
    word = "kept" if found.lowest >= found.floor else "BROKEN"
    return f"fewest seen {found.lowest} of {found.gateways}, N-1 is {found.floor}: {word}"


_HEAD = ("", "wave", "racks", "steps", "time")


def _waves(found: RunReport) -> Iterator[tuple[str, ...]]:
    for wave in found.waves:
        mark = "✓" if wave.done == wave.steps else "▸" if wave.done else "·"
        racks = ", ".join(wave.racks) if len(wave.racks) <= 6 else f"{len(wave.racks)} racks"
        yield mark, wave.name, racks, f"{wave.done}/{wave.steps}", _time(wave.seconds)


def _stop(stop: Stop) -> Iterator[str]:
    yield f"step {stop.number}, {stop.title}: {stop.word} after {_time(stop.seconds)}"
    for finding in stop.findings:
        yield f"  {finding.check} is {finding.verdict}: {finding.detail}"
    if not stop.findings:
        yield from (f"  {line}" for line in stop.detail.splitlines())


def _steps(steps: Sequence[StepReport]) -> Iterator[str]:
    wave = ""
    for step in steps:
        if step.wave != wave:
            wave = step.wave
            yield wave
        mark = _MARKS.get(step.word or "", "·")
        again = f", {step.attempts} attempts" if step.attempts > 1 else ""
        took = f"  {_time(step.seconds)}{again}" if step.word else ""
        yield f"  {mark} {step.number:4} {step.title}{took}"


def _diff(found: RunReport) -> Iterator[str]:
    if found.differences is None:
        yield f"Before and after: no comparison, the snapshot {' and '.join(found.missing)} is not there"
        return
    odd = [d for d in found.differences if not d.planned]
    planned = [d for d in found.differences if d.planned]
    yield f"Before ({found.compared[0]}) and after ({found.compared[1]})"
    yield f"  not planned: {len(odd) or 'nothing'}"
    yield from (f"    ! {_difference(d)}" for d in odd)
    yield f"  planned: {len(planned) or 'nothing'}"
    yield from (f"    {_difference(d)}" for d in planned)


def _difference(each: Difference) -> str:
    return f"{each.topic} {each.subject} {each.change}: {each.before or 'none'} -> {each.after or 'none'}"


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _indented(lines: list[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def as_markdown(found: RunReport, *, steps: bool) -> str:
    """For a ticket or a change record: tables, the steps folded away."""
    lines = [
        f"# {found.kind} of {found.site}: {found.word}",
        "",
        f"Run `{found.run}`, plan `{found.plan[:12]}`.",
    ]
    lines += ["", *(f"- {text}" for text in _moved(found))]
    lines += [f"- {name}: {_flat(value)}" for name, value in _facts(found)]
    lines += ["", "## Waves", "", *_md_table(_HEAD, _waves(found))]
    if found.stops:
        lines += ["", "## What stopped it", ""]
        lines += [f"- {_flat('; '.join(line.strip() for line in _stop(stop)))}" for stop in found.stops]
    lines += ["", "## Before and after", "", *_md_diff(found)]
    if steps:
        lines += [
            "",
            "<details><summary>Steps</summary>",
            "",
            *_md_table(_STEP_HEAD, map(_md_step, found.steps)),
        ]
        lines += ["", "</details>"]
    return "\n".join(lines)


_STEP_HEAD = ("", "step", "wave", "what", "time", "attempts")
_DIFF_HEAD = ("", "what", "change", "before", "after")


def _md_step(step: StepReport) -> tuple[str, ...]:
    took = _time(step.seconds) if step.word else ""
    mark = _MARKS.get(step.word or "", "·")
    return mark, str(step.number), step.wave, step.title, took, str(step.attempts or "")


def _md_diff(found: RunReport) -> Iterator[str]:
    if found.differences is None:
        yield f"No comparison: the snapshot {' and '.join(found.missing)} is not there."
        return
    odd = sum(not d.planned for d in found.differences)
    when = f"Between {found.compared[0]} and {found.compared[1]}"
    yield f"{when}: {len(found.differences)} differences, {odd or 'none'} of them not planned."
    if found.differences:
        yield ""
        ordered = sorted(found.differences, key=lambda d: d.planned)
        rows = (
            (
                "" if d.planned else "**!**",
                f"{d.topic} {d.subject}",
                d.change.value,
                d.before or "",
                d.after or "",
            )
            for d in ordered
        )
        yield from _md_table(_DIFF_HEAD, rows)


def _md_table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(_flat(cell).replace("|", "\\|") for cell in row) + " |"


def _flat(text: str) -> str:
    return " ".join(text.split())
