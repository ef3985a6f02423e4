"""Which lines exist, what each runs on, and until when: support tables, with every source that spoke."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from rollout.rules.book import RuleBook
from rollout.rules.release import line_indexes, place
from rollout.rules.rows import FAMILY, Partner, Provenance, Severity, SupportRow
from rollout.rules.verdict import RuleVerdict
from rollout.rules.version import minor_pair, parse

_RANGE_FIX = "choose a release whose range has the cluster's Kubernetes, or move Kubernetes first"
_EOL_FIX = "go on to a supported line"


def lines(book: RuleBook, kind: str) -> tuple[str, ...]:
    """Known release lines, oldest first."""
    return tuple(line_indexes(book, kind))


def line_row(book: RuleBook, kind: str, line: str) -> SupportRow | None:
    family = FAMILY.get(kind, kind)
    return next((row for row in book.support if (row.subject, row.line) == (family, line)), None)


def latest_patch(book: RuleBook, kind: str, line: str) -> str | None:
    """The newest release of the line that the data has seen; None where it has seen none."""
    row = line_row(book, kind, line)
    return row.latest if row is not None else None


def support_verdicts(
    book: RuleBook,
    kind: str,
    version: str,
    kubernetes: str | None,
    *,
    chart: str | None = None,
    today: date | None = None,
) -> tuple[RuleVerdict, ...]:
    """The Kubernetes range (where upstream gives one) and, with ``today``, the end of support (a warning).

    ``chart`` is Consul's chart version: its table narrows the range. Raises VersionInvalid or UnknownLine.
    """
    row = line_row(book, kind, place(book, kind, version).line)
    assert row is not None
    return tuple(_verdicts(book, row, kind, version, kubernetes, chart, today))


def _verdicts(
    book: RuleBook,
    row: SupportRow,
    kind: str,
    version: str,
    kubernetes: str | None,
    chart: str | None,
    today: date | None,
) -> Iterator[RuleVerdict]:
    if kubernetes is not None and row.subject != "kubernetes":
        yield kubernetes_verdict(row, f"{kind} {version}", kubernetes)
        yield from _chart_verdicts(book, row, chart, kubernetes)
    eol = ends(row)
    if today is not None and eol is not None:
        said = (
            f"{kind} {row.line} support ends {eol.isoformat()}, today is {today.isoformat()}{_eol_note(row)}"
        )
        yield RuleVerdict(row.id, today <= eol, said, _EOL_FIX, row.provenance, Severity.WARN)


def kubernetes_verdict(row: SupportRow, name: str, kubernetes: str) -> RuleVerdict:
    """The stricter of all sources applies; where they differ, each one's range is in the text."""
    said = statements(row)
    if not said:
        text = f"{name}: upstream publishes no Kubernetes range"
        return RuleVerdict(row.id, True, text, _RANGE_FIX, row.provenance)
    broken = [one for one in said if not one.covers(kubernetes)]
    refused = any(one.severity is Severity.REFUSE for one in broken)
    severity = Severity.REFUSE if refused or not broken else Severity.WARN
    low, high = _narrowest(row, broken or list(said))
    verb = "supports" if row.severity is Severity.REFUSE else "is tested on"
    text = (
        f"{name} {verb} Kubernetes {low}..{high}, the cluster runs {kubernetes}{_sources(row, bool(broken))}"
    )
    return RuleVerdict(row.id, not broken, text, _RANGE_FIX, row.provenance, severity)


@dataclass(frozen=True, slots=True)
class Statement:
    """One source's range of Kubernetes minors, inclusive; ``high`` None is no upper end."""

    low: str
    high: str | None
    severity: Severity
    source: str

    def covers(self, kubernetes: str) -> bool:
        at = minor_pair(kubernetes)
        return minor_pair(self.low) <= at and (self.high is None or at <= minor_pair(self.high))

    def __str__(self) -> str:
        return (
            f"{self.low}..{self.high} ({self.source})"
            if self.high
            else f"{self.low} or newer ({self.source})"
        )


def statements(row: SupportRow) -> tuple[Statement, ...]:
    """Every source's range with the severity it is applied with: the row's own, its claims', the code's floor."""
    if row.kubernetes is None:
        return ()
    own = Statement(*row.kubernetes, row.severity, row.source)
    claims = tuple(
        Statement(*c.kubernetes, c.severity, c.source) for c in row.claims if c.kubernetes is not None
    )
    floor = (Statement(row.code_floor, None, Severity.REFUSE, "the code itself"),) if row.code_floor else ()
    return (own, *claims, *floor)


def kubernetes_range(row: SupportRow) -> tuple[str, str] | None:
    """What is applied: the intersection of the statements of the row's own severity and stricter."""
    said = statements(row)
    refusing = [one for one in said if one.severity is Severity.REFUSE]
    return _narrowest(row, refusing if row.severity is Severity.REFUSE else list(said)) if said else None


def strictest_range(row: SupportRow) -> tuple[str, str] | None:
    """What no source objects to; outside of it and inside of :func:`kubernetes_range` is a warning."""
    return _narrowest(row, list(statements(row))) if row.kubernetes is not None else None


def _narrowest(row: SupportRow, said: list[Statement]) -> tuple[str, str]:
    """Lowest and highest that all of these allow; the row's own ends where they say nothing."""
    assert row.kubernetes is not None
    highs = [one.high for one in said if one.high is not None]
    return max((one.low for one in said), key=minor_pair), min(highs or [row.kubernetes[1]], key=minor_pair)


def ends(row: SupportRow) -> date | None:
    """The earliest end of support that any source names."""
    named = [day for day in (row.eol, *(claim.eol for claim in row.claims)) if day is not None]
    return min(named, default=None)


def _inside(kubernetes: str, span: tuple[str, str]) -> bool:
    return minor_pair(span[0]) <= minor_pair(kubernetes) <= minor_pair(span[1])


def _sources(row: SupportRow, broken: bool) -> str:
    """Who says what, where it matters; where all of them agree on this cluster, that they differ elsewhere."""
    said = statements(row)
    if len({one.high for one in said if one.high}) < 2 and all(one.low == said[0].low for one in said):
        return ""
    if not broken:
        return f" [sources differ elsewhere: {row.id}]"
    return f" [sources differ, the stricter is applied: {'; '.join(map(str, said))}]"


def _eol_note(row: SupportRow) -> str:
    others = [
        f"{c.eol.isoformat()} ({c.source})" for c in row.claims if c.eol is not None and c.eol != ends(row)
    ]
    if row.eol is not None and row.eol != ends(row):
        others.append(f"{row.eol.isoformat()} ({row.source})")
    return f" [sources differ, the earlier is applied; also {'; '.join(others)}]" if others else ""


def _chart_verdicts(
    book: RuleBook, row: SupportRow, chart: str | None, kubernetes: str
) -> Iterator[RuleVerdict]:
    if chart is None:
        return
    line = parse(chart).line
    for pair in book.pairs:
        if pair.subject != row.subject or pair.line != row.line:
            continue
        for partner in pair.partners:
            if partner.line == line and partner.kubernetes is not None:
                yield _chart_verdict(pair.id, pair.provenance, partner, kubernetes)


def _chart_verdict(id_: str, provenance: Provenance, partner: Partner, kubernetes: str) -> RuleVerdict:
    assert partner.kubernetes is not None
    low, high = partner.kubernetes
    text = f"chart line {partner.line} supports Kubernetes {low}..{high}, the cluster runs {kubernetes}"
    return RuleVerdict(id_, _inside(kubernetes, partner.kubernetes), text, _RANGE_FIX, provenance)
