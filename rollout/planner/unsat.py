"""The smallest set of rules that makes something impossible, found by asking for ways around guesses.

Implicit hitting sets: every way breaks some rules, so an impossible set has to hit each of them. Guess the smallest
set that hits the ways seen so far; a way around the guess is one more to hit; no way around it proves the guess.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations


def smallest_core(avoiding: Callable[[frozenset[str]], frozenset[str] | None]) -> frozenset[str]:
    """``avoiding(rules)`` gives every rule that some way breaks, none of ``rules`` among them; None if no way is left.

    The answer is minimal by number, and so each of its rules is needed. Requires that a way exists without rules.
    """
    seen: list[frozenset[str]] = []
    while True:
        guess = _smallest_hitting(seen)
        way = avoiding(guess)
        if way is None:
            return guess
        if not way or way & guess:
            raise AssertionError(f"a way around {sorted(guess)} cannot break {sorted(way)}")
        seen.append(way)


def _smallest_hitting(sets: list[frozenset[str]]) -> frozenset[str]:
    """By growing size, in the order of ids: the same answer every time."""
    universe = sorted(frozenset().union(*sets))
    for size in range(len(universe) + 1):
        for chosen in combinations(universe, size):
            if all(one & frozenset(chosen) for one in sets):
                return frozenset(chosen)
    raise AssertionError("a set without members cannot be hit")
