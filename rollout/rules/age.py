"""How old the facts are: support tables are edited after release, so old ones are said to be old."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from rollout.rules.book import RuleBook


def age_warning(book: RuleBook, kinds: Collection[str], today: date, max_age: timedelta) -> str | None:
    """One sentence when the oldest fact about any of ``kinds`` is older than ``max_age``; None otherwise."""
    old = {kind: book.as_of(kind) for kind in sorted(kinds) if today - book.as_of(kind) > max_age}
    if not old:
        return None
    each = ", ".join(f"{kind} of {day.isoformat()} ({(today - day).days} days)" for kind, day in old.items())
    return (
        f"rules older than {max_age.days} days: {each}; upstream edits its tables after release, "
        "so compare them and override what changed in the site's rules/"
    )
