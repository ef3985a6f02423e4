"""Who holds which versions, as a value that is cheap to change in one place.

A plan changes one node at a time and every state is kept: a copy of a 10,000-entry mapping for each of 10,000
steps would be the whole planning time. Holders are spread over buckets; a change copies one bucket.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

BUCKETS = 128


class Row(NamedTuple):
    """One version of one component on one holder."""

    subject: str
    component: str
    version: str


_Bucket = dict[str, tuple[Row, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Holdings:
    """Holder (a node, or a pod or host that no node walk moves) to what it runs. Never changed in place."""

    buckets: tuple[_Bucket, ...]

    def on(self, holder: str) -> tuple[Row, ...]:
        return self.buckets[hash(holder) % BUCKETS].get(holder, ())

    def having(self, holder: str, rows: tuple[Row, ...]) -> Holdings:
        place = hash(holder) % BUCKETS
        bucket = {**self.buckets[place], holder: rows}
        return Holdings((*self.buckets[:place], bucket, *self.buckets[place + 1 :]))

    def holders(self, subject: str, component: str) -> Iterator[tuple[str, str]]:
        """(holder, version) of everyone who runs the component, in no particular order."""
        for bucket in self.buckets:
            for holder, rows in bucket.items():
                yield from (
                    (holder, r.version) for r in rows if (r.subject, r.component) == (subject, component)
                )


def holdings(found: Iterable[tuple[str, Row]]) -> Holdings:
    """Duplicates count once: it matters whether a node runs a version, not in how many pods."""
    buckets: tuple[dict[str, dict[Row, None]], ...] = tuple({} for _ in range(BUCKETS))
    for holder, row in found:
        buckets[hash(holder) % BUCKETS].setdefault(holder, {})[row] = None
    return Holdings(tuple({name: tuple(rows) for name, rows in bucket.items()} for bucket in buckets))
