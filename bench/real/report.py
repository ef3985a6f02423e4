"""The figures of the real cluster, side by side."""

from __future__ import annotations

from collections.abc import Mapping

from bench.real.run import Cost, Scale
from bench.report import machine

REAL = "<!-- figures: written by `make bench-real ARGS=--write` -->"
_HEADS = ("", "rackroll", "kubectl", "rackroll / kubectl")
LIST_SECONDS, LIST_MIB = 1.0, 100.0


def rows(costs: Mapping[str, Cost]) -> list[tuple[str, ...]]:
    ours, theirs = costs["drain"], costs["kubectl"]
    return [
        ("nodes drained and given back", f"{ours.measured.nodes}", f"{theirs.measured.nodes}", ""),
        _compared("seconds per node", ours.seconds_per_node, theirs.seconds_per_node),
        _compared("API requests per node", ours.per_node, theirs.per_node),
        ("peak memory", f"{ours.measured.peak_mib:.0f} MiB", "not measured", ""),
    ]


def _compared(name: str, ours: float, theirs: float) -> tuple[str, ...]:
    return name, f"{ours:.2f}", f"{theirs:.2f}", f"{ours / theirs:.2f}"


def listing(costs: Mapping[str, Cost]) -> str:
    found = costs["pods"].measured
    good = found.seconds <= LIST_SECONDS and found.peak_mib <= LIST_MIB
    return (
        f"List of all pods: {found.seconds:.2f} s, {found.peak_mib:.0f} MiB ({found.detail}); target "
        f"<= {LIST_SECONDS:.0f} s, <= {LIST_MIB:.0f} MiB: {'ok' if good else 'MISSED'}."
    )


def verbs(cost: Cost) -> str:
    """Requests per node, most frequent first."""
    nodes = max(cost.measured.nodes, 1)
    return ", ".join(f"{name} {count / nodes:.2f}" for name, count in cost.requests.most_common())


def as_table(costs: Mapping[str, Cost]) -> str:
    cells = [_HEADS, *rows(costs)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(_HEADS))]
    table = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(
        [
            *table,
            "",
            f"rackroll: {verbs(costs['drain'])}",
            f"kubectl:  {verbs(costs['kubectl'])}",
            listing(costs),
        ]
    )


def as_markdown(scale: Scale, costs: Mapping[str, Cost]) -> str:
    head = "| " + " | ".join(_HEADS) + " |"
    body = ["| " + " | ".join(row) + " |" for row in rows(costs)]
    where = (
        f"{machine()}; {scale.racks * scale.nodes_per_rack:,} nodes in {scale.racks} racks, about {scale.pods:,} pods, "
        f"{scale.rolled} racks for each."
    )
    asked = [f"Requests per node: rackroll {verbs(costs['drain'])}; kubectl {verbs(costs['kubectl'])}."]
    return "\n".join([where, "", head, "|" + "---|" * len(_HEADS), *body, "", *asked, "", listing(costs)])
