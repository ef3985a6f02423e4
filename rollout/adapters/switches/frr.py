"""One FRR switch: load, validate, compare, commit, verify, or roll back.

The candidate is the running config with our lines merged in; ``frr-reload`` makes the switch equal to it. A
result is never believed from a command's output: the running config, a second diff and everybody else's lines
are read back, and the previous configuration is loaded again if any of them is not as it should be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from roles.tor.intent import OwnedConfig
from roles.tor.merge import foreign, merged
from rollout.adapters.switches.reload import checked, diff_lines
from rollout.adapters.switches.session import Session
from rollout.errors import RackrollError, StepFailed

_RELOAD = "$(command -v frr-reload.py || echo /usr/lib/frr/frr-reload.py)"
_FOLDER = "/var/lib/rackroll"
_CANDIDATE = f"{_FOLDER}/candidate.conf"
_BEFORE = f"{_FOLDER}/before.conf"
_TIMEOUT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Frr:
    """``session`` is this switch's alone while it is configured; ``name`` is for messages."""

    name: str
    session: Session

    def diff(self, owned: OwnedConfig) -> tuple[str, ...]:
        self._load(_CANDIDATE, merged(self._running(), owned))
        return self._compare(_CANDIDATE)

    def apply(self, owned: OwnedConfig) -> tuple[str, ...]:
        """The lines that were changed; the switch is verified to be as ``owned`` says, or is as it was before."""
        before = self._running()
        self._load(_CANDIDATE, merged(before, owned))
        changes = self._compare(_CANDIDATE)
        if not changes:
            return ()
        self._load(_BEFORE, before)
        try:
            left = self._commit(_CANDIDATE, "applying the new configuration")
            self._verify(left, before, owned)
        except RackrollError as error:
            self._roll_back(error)
            raise
        return changes

    def _running(self) -> str:
        answer = self.session.ask("vtysh -c 'show running-config no-header'")
        return checked(answer, "reading the running config", self.name)

    def _load(self, path: str, text: str) -> None:
        """``end`` would end the reading; ``frr-reload --test`` refuses a file with any line FRR does not know."""
        self.session.put(path, "\n".join(line for line in text.splitlines() if line != "end") + "\n")

    def _compare(self, path: str) -> tuple[str, ...]:
        answer = self.session.ask(f"{_RELOAD} --test {path}", _TIMEOUT)
        return diff_lines(checked(answer, "comparing configurations", self.name))

    def _commit(self, path: str, doing: str) -> tuple[str, ...]:
        """What still differs afterwards. Loaded again once if anything does: removing one line can bring another back
        (``no neighbor X bfd profile P`` switches plain ``bfd`` on), and frr-reload removes in one pass only.

        frr-reload also saves: after a power cut the switch boots with what was verified here.
        """
        left: tuple[str, ...] = ()
        for _ in range(2):
            checked(self.session.act(f"{_RELOAD} --reload {path}", _TIMEOUT), doing, self.name)
            left = self._compare(path)
            if not left:
                break
        return left

    def _verify(self, left: tuple[str, ...], before: str, owned: OwnedConfig) -> None:
        if left:
            raise StepFailed(f"{len(left)} lines did not take: {'; '.join(left[:3])}", where=self.name)
        strayed = foreign(before, owned) ^ foreign(self._running(), owned)
        if strayed:
            raise StepFailed(
                f"lines that are not ours changed: {'; '.join(sorted(strayed)[:3])}", where=self.name
            )

    def _roll_back(self, error: RackrollError) -> None:
        """Previous configuration back, proven by an empty diff; the original error goes on, saying which it was."""
        try:
            left = self._commit(_BEFORE, "rolling back")
        except RackrollError as second:
            error.hint = (
                f"ROLLBACK FAILED ({second.message}); on {self.name} load {_BEFORE} with frr-reload.py"
            )
            return
        error.hint = (
            f"rolled back, but {len(left)} lines still differ from {_BEFORE} on {self.name}"
            if left
            else "rolled back: the switch runs its previous configuration"
        )
