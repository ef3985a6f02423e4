"""The rules asked again, straight from their tables: which hold, and which pair of versions breaks one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from rollout.verify.data import Row, Rules
from rollout.verify.releases import Placed, numbers, own_numbers

LEADERS = {
    "istio": ("istiod",),
    "istio-ambient": ("istiod",),
    "linkerd": ("control-plane",),
    "cilium": ("agent", "operator"),
    "consul": ("server",),
    "metallb": ("controller",),
    "kubernetes": ("apiserver",),
}
"""Whose version is the subject's own. Written down here a second time on purpose."""

Running = Mapping[str, tuple[str, ...]]
Pair = tuple[str, frozenset[tuple[str, str]]]
"""A broken rule and the (component, version)s that break it."""


@dataclass(frozen=True, slots=True)
class Said:
    rule: str
    holds: bool
    severity: str

    @property
    def refuses(self) -> bool:
        return not self.holds and self.severity == "refuse"


@dataclass(frozen=True, slots=True)
class Judge:
    """One subject's rules. ``revisions``: a follower answers to a leader of its own."""

    rules: Rules
    kind: str
    method: str

    def all(self, running: Running, apiservers: tuple[str, ...]) -> Iterator[Said]:
        """Raises Unplaced for a version of no known line."""
        yield from self.skews(running)
        yield from self.support(running, apiservers)

    def skews(self, running: Running) -> Iterator[Said]:
        for rule in self.rules.skews:
            if rule["subject"] != self.kind or rule["leader"] not in running:
                continue
            for follower in rule["followers"]:
                if follower in running:
                    holds = self._skew(rule, follower, running[rule["leader"]], running[follower])
                    yield Said(rule["id"], holds, rule.get("severity", "refuse"))

    def _place(self, rule: Row, text: str) -> Placed:
        return own_numbers(text) if rule.get("own_numbers") else self.rules.releases(self.kind).place(text)

    def _skew(self, rule: Row, name: str, leaders: tuple[str, ...], followers: tuple[str, ...]) -> bool:
        above = sorted((self._place(rule, text) for text in leaders), key=lambda p: p.order)
        if rule.get("table"):
            seen = {own_numbers(text).line for text in followers}
            return all(seen <= self._partners(rule, name, leader) for leader in above)
        below = sorted((self._place(rule, text) for text in followers), key=lambda p: p.order)
        slack = 1 if rule.get("transient_ok") else 0
        if name == rule["leader"] and rule.get("max_behind") is not None:
            near = below[-1].index - below[0].index <= rule["max_behind"] + slack
            return near or any(_leap(e, below[0], below[-1]) for e in rule.get("exceptions", ()))
        if self.method == "revision":
            return all(any(_within(rule, [one], p, slack) for one in above) for p in below)
        return all(_within(rule, above, p, slack) for p in below)

    def _partners(self, rule: Row, name: str, leader: Placed) -> set[str]:
        index, lines = self.rules.releases(self.kind).index, {leader.line}
        if rule.get("transient_ok"):
            lines |= {line for line, at in index.items() if abs(at - leader.index) <= 1}
            lines |= {e["to_line"] for e in rule.get("exceptions", ()) if _leaves(e, leader)}
        table = (self.kind, rule["leader"], name)
        rows = (r for r in self.rules.pairs if (r["subject"], r["leader"], r["follower"]) == table)
        return {partner["line"] for row in rows if row["line"] in lines for partner in row["partners"]}

    def support(self, running: Running, apiservers: tuple[str, ...]) -> Iterator[Said]:
        if self.kind == "kubernetes":
            return
        for text in sorted({v for c in LEADERS.get(self.kind, ()) for v in running.get(c, ())}):
            line = self.rules.releases(self.kind).place(text).line
            row = next(row for row in self.rules.support(self.kind) if row["line"] == line)
            yield from (_runs_on(row, cluster) for cluster in apiservers)

    def jump(self, before: str, after: str) -> Iterator[Said]:
        """Also downwards: a row without ``down`` supports no step down a line."""
        releases = self.rules.releases(self.kind)
        old, new = releases.place(before), releases.place(after)
        step = new.index - old.index
        for row in self.rules.jumps:
            if row["subject"] != self.kind or row["method"] not in (self.method, "any"):
                continue
            leap = any(_leap(e, old, new) for e in row.get("exceptions", ()))
            yield Said(row["id"], leap or -row.get("down", 0) <= step <= row["up"], "refuse")
            latest = next(
                (r.get("latest") for r in self.rules.support(self.kind) if r["line"] == old.line), None
            )
            if row.get("latest_patch_first") and step and latest:
                yield Said(row["id"], old.order >= releases.place(latest).order, "warn")

    def offences(self, running: Running, apiservers: tuple[str, ...]) -> set[Pair]:
        """Broken rules by the versions that break them, two components at a time."""
        found: set[Pair] = set()
        for group in self._groups(running):
            found |= {(s.rule, _named(group)) for s in self.skews(group) if s.refuses}
        for cluster in apiservers:
            for component in LEADERS.get(self.kind, ()):
                for version in running.get(component, ()):
                    said = self.support({component: (version,)}, (cluster,))
                    found |= {(s.rule, frozenset({(version, cluster)})) for s in said if s.refuses}
        known = {rule for rule, _ in found}
        whole = (s.rule for s in self.all(running, apiservers) if s.refuses and s.rule not in known)
        return found | {(rule, _named(running)) for rule in whole}

    def _groups(self, running: Running) -> Iterator[Running]:
        """Pairs of versions; by revision all leaders stay together, for one that fits a follower is enough."""
        whole = LEADERS.get(self.kind, ()) if self.method == "revision" else ()
        for (one, mine), (other, theirs) in product(running.items(), repeat=2):
            if one == other:
                yield from ({one: tuple({version, beside})} for version, beside in product(mine, repeat=2))
            elif other in whole:
                yield from ({one: (version,), other: theirs} for version in mine)
            elif one not in whole:
                yield from ({one: (version,), other: (beside,)} for version, beside in product(mine, theirs))


def _named(running: Running) -> frozenset[tuple[str, str]]:
    return frozenset((component, version) for component, versions in running.items() for version in versions)


def _within(rule: Row, leaders: list[Placed], follower: Placed, slack: int) -> bool:
    newest, oldest = leaders[-1].index, leaders[0].index
    behind = (newest if rule.get("behind_ref", "newest") == "newest" else oldest) - follower.index
    ahead = follower.index - (oldest if rule.get("lead_ref", "oldest") == "oldest" else newest)
    most, lead = rule.get("max_behind"), rule.get("max_ahead")
    narrow: dict[str, Any] | None = rule.get("narrower")
    if narrow and numbers(follower.line) < numbers(narrow["before"]):
        most, lead = narrow["max_behind"], narrow.get("max_ahead", lead)
    return (most is None or behind <= most + slack) and (lead is None or ahead <= lead + slack)


def _leaves(leap: Row, before: Placed) -> bool:
    since = own_numbers(leap["since"])
    enough = before.order[2] >= since.order[2]
    return before.line == since.line and enough and before.edition == leap.get("edition", "")


def _leap(leap: Row, before: Placed, after: Placed) -> bool:
    same = numbers(after.line) == numbers(leap["to_line"]) and after.edition == leap.get("edition", "")
    return same and _leaves(leap, before)


def _runs_on(row: Row, cluster: str) -> Said:
    """Every source's range applies with its own severity; the code's floor always refuses."""
    id_, own = row["id"], row.get("severity", "refuse")
    if "kubernetes" not in row:
        return Said(id_, True, "refuse")
    at = numbers(cluster)
    ranges = [(row["kubernetes"], own)]
    ranges += [
        (c["kubernetes"], c.get("severity", "refuse")) for c in row.get("claims", ()) if "kubernetes" in c
    ]
    broken = {said for (low, high), said in ranges if not numbers(low) <= at <= numbers(high)}
    if "code_floor" in row and at < numbers(row["code_floor"]):
        broken.add("refuse")
    if not broken:
        return Said(id_, True, "refuse")
    return Said(id_, False, "refuse" if "refuse" in broken else "warn")
