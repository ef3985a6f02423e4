"""The FRR driver: what it applies is verified, and what cannot be verified is rolled back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from roles.tor.intent import OwnedConfig, intended
from roles.tor.running import Entry, parse
from rollout.adapters.switches.frr import Frr
from rollout.adapters.switches.session import Answer, Session
from rollout.errors import StepFailed
from rollout.site.load import load_site
from tests.unit.site_lab import LAB, written
from tests.unit.test_tor_config import BARE

Change = Callable[[str], str]


def paths(text: str, prefix: str = "") -> list[str]:
    def walk(entries: tuple[Entry, ...], context: str) -> list[str]:
        return [p for e in entries for p in (f"{context}{e.line}", *walk(e.body, f"{context}{e.line}\n "))]

    return walk(parse(text), prefix)


@dataclass
class Switchlike:
    """FRR and frr-reload.py as far as the driver sees them: files, a running config, and ways to misbehave."""

    running: str = BARE
    files: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    on_reload: list[Change | Answer] = field(default_factory=list)

    def ask(self, command: str, timeout: timedelta = timedelta(0)) -> Answer:  # noqa: ARG002
        if "show running-config" in command:
            return Answer(0, self.running)
        return Answer(0, self._test(self.files[command.split()[-1]]))

    def act(self, command: str, timeout: timedelta = timedelta(0)) -> Answer:  # noqa: ARG002
        if "--reload" not in command:
            return Answer(0, "")
        wanted = self.files[command.split()[-1]]
        self.done.append(command.split()[-1])
        outcome = self.on_reload.pop(0) if self.on_reload else (lambda text: text)
        if isinstance(outcome, Answer):
            return outcome
        self.running = outcome(wanted)
        return Answer(0, "The route-map 'RACKROLL-OUT' does not exist.")

    def put(self, path: str, text: str) -> None:
        self.files[path] = text

    def _test(self, wanted: str) -> str:
        add = [line for line in paths(wanted) if line not in paths(self.running)]
        gone = [line for line in paths(self.running) if line not in paths(wanted)]
        return "\n".join(("Lines To Delete", "=====", *gone, "Lines To Add", "=====", *add, ""))


@pytest.fixture
def owned(tmp_path: Path) -> OwnedConfig:
    site = load_site(written(tmp_path, LAB))
    return intended(site, site.switch("tor-r1"))


def driver(switch: Switchlike) -> Frr:
    return Frr("tor-r1", cast(Session, switch))


def test_an_apply_makes_the_second_diff_empty_and_reports_what_changed(owned: OwnedConfig) -> None:
    switch = Switchlike()
    changes = driver(switch).apply(owned)
    assert "+ router bgp 64501 / neighbor 10.90.1.11 remote-as 64601" in changes
    assert driver(switch).diff(owned) == ()


def test_a_second_apply_sends_nothing(owned: OwnedConfig) -> None:
    switch = Switchlike()
    driver(switch).apply(owned)
    assert driver(switch).apply(owned) == ()
    assert len(switch.done) == 1


def test_a_diff_changes_nothing(owned: OwnedConfig) -> None:
    switch = Switchlike()
    assert driver(switch).diff(owned)
    assert (switch.running, switch.done) == (BARE, [])


def without(pattern: str) -> Change:
    return lambda text: re.sub(rf"^ *{pattern}.*\n", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("misbehaves", "says"),
    [
        (Answer(1, "failed to apply"), "status 1"),
        (Answer(0, "% Configuration failed."), "% Configuration failed."),
        (without("neighbor 10.90.1.12 remote-as"), "did not take"),
        (without("neighbor 10.255.128.0 description"), "did not take|not ours changed"),
    ],
)
def test_what_cannot_be_verified_is_rolled_back(
    owned: OwnedConfig, misbehaves: Change | Answer, says: str
) -> None:
    switch = Switchlike(on_reload=[misbehaves, misbehaves] if callable(misbehaves) else [misbehaves])
    with pytest.raises(StepFailed, match=says) as failed:
        driver(switch).apply(owned)
    assert paths(switch.running) == paths(BARE)
    assert failed.value.hint == "rolled back: the switch runs its previous configuration"


def test_a_line_that_needs_a_second_pass_gets_one(owned: OwnedConfig) -> None:
    switch = Switchlike(on_reload=[without("neighbor 10.90.1.12 remote-as")])
    assert driver(switch).apply(owned)
    assert driver(switch).diff(owned) == ()


def test_an_uplink_that_someone_else_changes_meanwhile_is_noticed(owned: OwnedConfig) -> None:
    """The second diff alone would miss it where both the candidate and the switch lack the line."""

    def moves(text: str) -> str:
        changed = text.replace("timers 3 9", "timers 1 3", 1)
        switch.files["/var/lib/rackroll/candidate.conf"] = changed
        return changed

    switch = Switchlike(on_reload=[moves])
    with pytest.raises(StepFailed, match="lines that are not ours changed"):
        driver(switch).apply(owned)


def test_a_failed_rollback_says_so_and_where_the_old_configuration_lies(owned: OwnedConfig) -> None:
    switch = Switchlike(on_reload=[Answer(1, "first"), Answer(1, "second")])
    with pytest.raises(StepFailed, match="first") as failed:
        driver(switch).apply(owned)
    assert failed.value.hint.startswith("ROLLBACK FAILED")
    assert "load /var/lib/rackroll/before.conf" in failed.value.hint
