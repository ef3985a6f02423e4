"""kill -9 in the middle of a mint leaves nothing or all, and the next call completes it instead of doubling it."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

import pytest

from pki.home import PkiHome
from tests.unit.pki_homes import NOW, home, killed_at


def effects_of(act: str, folder: Path) -> int:
    """Kill the act before each of its effects in turn; returns how many it has. Asserts what must hold in between."""
    count = 0
    while True:
        count += 1
        place = folder / str(count)
        own = prepared(act, place)
        before = own.generations()
        if not killed_at(count, partial(perform, act, own)):
            return count - 1
        if act != "retire":
            whole_or_absent(own, before)
        perform(act, own)
        finished(act, own, place)


def prepared(act: str, place: Path) -> PkiHome:
    own = home(place)
    if act != "begin":
        own.begin(NOW)
        own.begin(NOW)
    return own


def perform(act: str, own: PkiHome) -> None:
    match act:
        case "begin":
            own.begin(NOW, after=0)
        case "reissue":
            own.reissue(2, NOW, after=1)
        case "retire":
            own.retire(1)


def whole_or_absent(own: PkiHome, before: tuple[object, ...]) -> None:
    for each in own.generations():
        for issuer in each.issuers:
            assert own.issuer_material(each.number, issuer.number)
    assert own.generations()[: len(before)] == before or len(own.generations()[-1].issuers) == 2


def finished(act: str, own: PkiHome, place: Path) -> None:
    wanted = {"begin": [(1, 1)], "reissue": [(1, 1), (2, 2)], "retire": [(2, 1)]}
    assert [(each.number, len(each.issuers)) for each in own.generations()] == wanted[act]
    assert not list(place.rglob(".making-*"))
    if act == "retire":
        assert not list((place / "istio" / "retired").rglob("key"))


@pytest.mark.parametrize("act", ["begin", "reissue", "retire"])
def test_a_kill_at_any_effect_leaves_nothing_or_all_and_the_next_call_completes_it(
    act: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert effects_of(act, tmp_path) >= 5


def test_two_that_begin_at_once_take_turns(tmp_path: Path) -> None:
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            try:
                home(tmp_path).begin(NOW)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert [each.number for each in home(tmp_path).generations()] == [1, 2, 3, 4]
