"""What is asked of a random fleet, sound or flawed: targets, limits, commands, a way back."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from hypothesis import strategies as st

from rollout.model.plan import Plan
from rollout.model.site import Site
from tests.properties import raw
from tests.properties.flaws import FLAWS
from tests.properties.fleets import Case, healthy, observed, versions_of
from tests.properties.whatruns import running


class Wish(StrEnum):
    """What a target version is, seen from what runs."""

    NEXT = "next line"
    PATCH = "another patch"
    SAME = "what runs"
    TWO = "two lines on"
    FAR = "the newest line"
    DOWN = "a line down"
    UNKNOWN = "a line nobody knows"
    FLOATING = "a floating tag"
    NOBODY = "no such subject"
    TWICE = "asked twice"


USUAL = (Wish.NEXT,) * 8 + (Wish.PATCH, Wish.SAME, Wish.TWO, Wish.FAR, Wish.FAR, Wish.DOWN)
ODD = (*USUAL, Wish.UNKNOWN, Wish.FLOATING, Wish.NOBODY, Wish.TWICE)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Half of them healthy with a usual wish; the others with one or two flaws, or an odd wish, or both."""
    case = draw(healthy())
    flawed = draw(st.booleans())
    for flaw in draw(st.lists(st.sampled_from(FLAWS), min_size=0, max_size=2)) if flawed else ():
        case = flaw(draw, case)
    subjects = draw(st.lists(st.sampled_from(sorted(case.roles)), min_size=1, max_size=2, unique=True))
    wishes = ODD if flawed else USUAL
    targets = [t for name in subjects for t in wished(draw, case, name, draw(st.sampled_from(wishes)))]
    return replace(case, targets=tuple(targets), limit=draw(_limit(case.site)) if flawed else "")


def _limit(site: Site) -> st.SearchStrategy[str]:
    """Mostly none; else a rack, a node, all but one of them, or a name that is not there."""
    node, rack = site.nodes[-1].name, f"rack:{site.racks[0].name}"
    return st.sampled_from(
        [""] * 8 + [node, rack, f"!{node}", f"{rack},!{node}", "rack:r99", f"{node},!{node}"]
    )


@st.composite
def maintained(draw: st.DrawFn) -> Case:
    """A fleet, flawed or not, and a command for some of its nodes."""
    case = draw(cases())
    argv = draw(st.sampled_from([("apt-get", "-y", "upgrade")] * 5 + [(), (" ",), ("sudo", "/sbin/reboot")]))
    reboot = draw(st.booleans())
    return replace(case, targets=(), limit=draw(_limit(case.site)), argv=argv, reboot=reboot)


def moved(case: Case, plan: Plan) -> Case:
    """The same fleet once the plan is done: what it moves is at its target, and the wish is to go back."""
    before = {t.subject: t.before or "" for t in plan.targets}
    now = {name: running(case, name) or "" for name in case.roles} | {
        t.subject: t.after for t in plan.targets
    }
    kubernetes = now.pop("kubernetes")
    seen = observed(case.site, case.roles, now, f"v{kubernetes.removeprefix('v')}")
    return replace(case, observed=seen, targets=tuple(before.items()), limit="", undone=plan)


def wished(draw: st.DrawFn, case: Case, subject: str, wish: Wish) -> list[tuple[str, str]]:
    """The subject's target, or two of them where it is asked for twice."""
    kind = case.kind(subject)
    known = versions_of(kind)
    now = running(case, subject)
    line = next(
        (i for i, row in enumerate(raw.lines(kind)) if now and row["line"] == raw.line_of(kind, now)), 0
    )
    match wish:
        case Wish.NOBODY:
            return [(subject + "x", known[line][0])]
        case Wish.UNKNOWN:
            return [(subject, "1.77.0")]
        case Wish.FLOATING:
            return [(subject, draw(st.sampled_from(["latest", "1.31", "", "stable"])))]
        case Wish.TWICE:
            return [(subject, known[line][0])] * 2
        case Wish.SAME:
            return [(subject, (now or known[line][0]).removeprefix("v"))]
        case Wish.PATCH:
            return [(subject, draw(st.sampled_from(known[line])))]
        case Wish.NEXT | Wish.TWO | Wish.FAR | Wish.DOWN:
            step = {Wish.NEXT: 1, Wish.TWO: 2, Wish.FAR: len(known), Wish.DOWN: -1}[wish]
            place = max(0, min(line + step, len(known) - 1))
            return [(subject, known[place][-1] if place == line else draw(st.sampled_from(known[place])))]
