"""A drill, and the trend of drills, for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rollout.cli.drill.score import DrillScore


def card(score: DrillScore, file: Path) -> str:
    found = score.document()
    racks = ", ".join(f"{rack} {ms:g} ms" for rack, ms in found["error_window_ms"]["by_rack"].items())
    lines = [
        f"Rotation drill: {score.mesh} ({found['lab']})",
        f"  handshakes       {score.good.tried} tried, {score.good.failed} failed{_classes(found)}",
        f"  error window     {found['error_window_ms']['longest']:g} ms longest ({racks})",
        f"  old root         {score.old_root_leaves} live leaves left, {score.proxies} proxies seen",
        f"  wall clock       {score.seconds:.1f} s: "
        + ", ".join(f"{each.name} {each.seconds:g}" for each in score.phases),
    ]
    if score.gateways_min is not None and score.gateways_total:
        lines.append(f"  gateways in RIB  {score.gateways_min} of {score.gateways_total} at least")
    lines += _fault(score.fault or {})
    if score.elsewhere is not None:
        lines.append(
            f"{' ' * 19}all other nodes: {score.elsewhere.tried} tried, {score.elsewhere.failed} failed"
        )
    if score.naive is not None:
        naive = score.naive
        lines.append(
            f"  naive (control)  {naive.failed} of {naive.tried} failed, "
            f"{naive.error_window_ms.longest:g} ms longest window"
        )
    return "\n".join([*lines, f"  kept in          {file}"])


def _classes(found: Mapping[str, Any]) -> str:
    wrong = [f"{count} x {name}" for name, count in found["handshakes"]["by_class"].items() if name != "ok"]
    return f" ({', '.join(wrong)})" if wrong else ""


def _fault(fault: Mapping[str, object]) -> Iterator[str]:
    for number, (key, value) in enumerate(fault.items()):
        head = "  fault            " if number == 0 else f"{' ' * 19}{key}: "
        if isinstance(value, Mapping):
            yield f"{head}{', '.join(f'{phase} x {len(steps)}' for phase, steps in value.items())}"
        else:
            yield f"{head}{value}"


def trend(rows: tuple[dict[str, Any], ...]) -> str:
    if not rows:
        return "no drill was finished on this machine yet: rackroll drill rotate --mesh istio"
    head = ("MESH", "QUARTER", "DRILLS", "FAULTS", "FAILED (MOST)", "ERROR WINDOW", "SLOWEST")
    table = [head] + [
        (
            row["mesh"],
            row["quarter"],
            str(row["drills"]),
            str(row["with_faults"]),
            str(row["failed_most"]),
            f"{row['error_window_ms_longest']:g} ms",
            f"{row['seconds_slowest']:g} s",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in table) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    )
