"""Live progress on stderr: rack, wave, step k of n, gateways in the RIB, requests lost.

Presentation observes events and never drives. On a terminal it is one panel that updates in place; elsewhere
(CI, a pipe) each finished step is one line. NO_COLOR is respected by rich itself.
"""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rollout.model.event import (
    Event,
    GatewaysSampled,
    RunFinished,
    StepFinished,
    StepHeld,
    StepSkipped,
    StepStarted,
)
from rollout.planner.titles import title as words

RECENT_STEPS = 6


class LossReader(Protocol):
    """Where the count of lost requests comes from, when a load is running."""

    def __call__(self) -> int | None: ...


def no_load() -> int | None:
    """No load is running: show no count rather than a zero nobody measured."""
    return None


class Progress:
    """A context that shows events while it is open; ``observe`` is handed to the engine."""

    def __init__(self, title: str, *, lost: LossReader = no_load, console: Console | None = None) -> None:
        self._title = title
        self._lost = lost
        self._console = console or Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._recent: deque[Text] = deque(maxlen=RECENT_STEPS)
        self._current: StepStarted | None = None
        self._gateways: GatewaysSampled | None = None
        self._minimum: int | None = None
        self._aside: set[str] = set()
        self._started = time.monotonic()

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._panel, console=self._console, refresh_per_second=4, transient=False
            )
            self._live.start()
        else:
            self._console.print(self._title)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._current = None if error is None else self._current
            self._live.stop()

    def observe(self, event: Event) -> None:
        match event:
            case StepStarted():
                self._current = event
            case StepFinished():
                self._finished(event)
            case StepHeld():
                self._held(event)
            case StepSkipped():
                self._skipped(event)
            case GatewaysSampled():
                self._gateways = event
                self._minimum = event.in_rib if self._minimum is None else min(self._minimum, event.in_rib)
            case RunFinished():
                self._line(Text(f"  {event.outcome}: {event.detail}".rstrip(": ")))

    def _finished(self, event: StepFinished) -> None:
        self._aside.discard(event.step.node or "")
        mark = Text("  ✓ ", style="green") if event.outcome == "done" else Text("  = ", style="dim")
        seconds = event.took.total_seconds()
        self._line(mark + Text(f"[{event.number}/{event.total}] {words(event.step.effect)}  {seconds:.1f}s"))

    def _held(self, event: StepHeld) -> None:
        for finding in event.findings:
            text = f"  ‖ held at {event.number}/{event.total} by {finding.check} ({finding.verdict}): {finding.detail}"
            self._line(Text(text, style="yellow"))

    def _skipped(self, event: StepSkipped) -> None:
        """Only the first of a node's steps says why; the rest would repeat it."""
        node = event.step.node or ""
        if node not in self._aside:
            self._aside.add(node)
            why = event.detail.splitlines()[0]
            self._line(Text(f"  ⤼ {node} put aside at {event.number}/{event.total}: {why}", style="yellow"))

    def _line(self, text: Text) -> None:
        self._recent.append(text)
        if self._live is None:
            self._console.print(text, soft_wrap=True)

    def _panel(self) -> RenderableType:
        rows: list[RenderableType] = [_fit(Text(self._title, style="bold")), *map(_fit, self._recent)]
        if self._current is not None:
            rows += [_fit(self._step_line(self._current)), self._bar(self._current)]
        rows.append(self._footer())
        return Group(*rows)

    def _step_line(self, step: StepStarted) -> Text:
        """Where it is comes first: with many racks in a wave the end of the line may not fit."""
        at = step.place
        where = f"wave {at.number}/{at.waves}, {at.step} of {at.steps}: " if at and at.waves > 1 else ""
        rest = f"[{step.number}/{step.total}] {where}{step.wave} · {step.stage} · {words(step.step.effect)}"
        return Text("  ▸ ", style="cyan") + Text(rest)

    def _bar(self, step: StepStarted) -> Table:
        grid = Table.grid(padding=(0, 1))
        grid.add_row("   ", ProgressBar(total=step.total, completed=step.number - 1, width=40))
        return grid

    def _footer(self) -> Text:
        parts = [f"{time.monotonic() - self._started:5.1f}s"]
        if self._gateways is not None:
            seen = self._gateways
            parts.append(f"gateways in RIB {seen.in_rib}/{seen.total} (min {self._minimum}){_worst(seen)}")
            parts.append(f"ready {seen.ready}/{seen.total}")
            parts.append(f"probes lost {seen.lost}")
        if self._aside:
            parts.append(f"put aside {len(self._aside)}")
        lost = self._lost()
        if lost is not None:
            parts.append(f"requests lost {lost}")
        return Text("   " + "  │  ".join(parts), style="dim")


def _fit(text: Text) -> Text:
    """One line stays one line: a panel that grows and shrinks cannot be read."""
    fitted = text.copy()
    fitted.no_wrap, fitted.overflow = True, "ellipsis"
    return fitted


def _worst(seen: GatewaysSampled) -> str:
    """Names the VIP that the numbers are of, where there are several and they differ."""
    low = [vip.gateway for vip in seen.vips if vip.in_rib == seen.in_rib]
    return f" at {low[0]}" if len(low) < len(seen.vips) else ""
