"""A node's reboot. A command that reboots returns at once, and the API goes on showing the old boot as Ready (40 s of
grace): only the kernel's boot id (random(4), a new one each time it starts) tells one boot from the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from rollout.engine.context import Look, Run
from rollout.engine.outcome import Done, Word
from rollout.engine.ports import CommandOutcome
from rollout.errors import StepFailed, Unreachable
from rollout.model.observed import NodeBoot
from rollout.model.reboot import NoteBoot, Reboot

SOON = timedelta(seconds=20)
"""For one short command: a host that is going down may take it and never answer."""

BOOT_ID = ("cat", "/proc/sys/kernel/random/boot_id")
_UNLESS_ANOTHER = '[ "$(cat /proc/sys/kernel/random/boot_id)" = "$0" ] || exit 75; exec systemctl reboot'
_GOING_DOWN = (
    "systemctl is-system-running; busctl get-property org.freedesktop.login1 /org/freedesktop/login1 "
    "org.freedesktop.login1.Manager PreparingForShutdown"
)
GOING_DOWN = ("sh", "-c", _GOING_DOWN)
_SIGNALLED = 128
"""A shell's exit code from here on: what it ran was killed, as a shutdown does with sessions."""


def asking(boot: str) -> tuple[str, ...]:
    """Reboot the host if it still is in this boot: asked late or twice, it does not reboot the next one."""
    return ("sh", "-c", _UNLESS_ANOTHER, boot)


def note_boot(run: Run, effect: NoteBoot) -> Done:
    seen = run.world.cluster.boot(effect.node)
    boot = _boot_of(run, effect.node)
    ready = "\n".join(seen.ready_since) if seen else ""
    return Done(Word.DONE, f"boot {boot}", facts=((_boot(effect.node), boot), (_ready(effect.node), ready)))


def _boot(node: str) -> str:
    return f"{node}: boot"


def _ready(node: str) -> str:
    return f"{node}: gateways Ready"


def _boot_of(run: Run, node: str) -> str:
    """Raises Unreachable if the host does not answer, or not with a boot id: in a reboot neither is a failure."""
    found = _asked(run, node, BOOT_ID)
    said = found.output.strip()
    if found.exit_code or len(_plain(said)) != 32:
        text = f"its boot id cannot be read: {said[-200:] or 'nothing was said'}"
        hint = f"`ssh {node} cat {BOOT_ID[1]}`: is it Linux, is /proc there? then `rackroll resume`"
        raise Unreachable(text, where=node, hint=hint)
    return said


def _asked(run: Run, node: str, argv: Sequence[str]) -> CommandOutcome:
    return run.world.commands.run(node, argv, SOON)


def _plain(boot: str) -> str:
    """The kernel writes it with dashes; who passes it on may not."""
    return boot.strip().replace("-", "").lower()


def reboot(run: Run, effect: Reboot) -> Done:
    node = effect.node
    if _boot(node) not in run.notes:
        text = "nobody noted which boot it was in: its next one could not be told from it"
        raise StepFailed(text, where=node, hint="plan again with this version")
    watch = _watch(run, node)
    hint = (
        "look at its console, then `rackroll resume`: it is not rebooted again once it is in another boot; a machine "
        "whose firmware takes longer needs a larger pacing.stepTimeout"
    )
    _until_back(run, node, watch.ask_and_look, hint)
    word = Word.DONE if watch.sent else Word.ALREADY
    return Done(word, f"boot {watch.now}", (("nodes.rebooted", int(watch.sent)),))


def let_finish(run: Run, node: str) -> None:
    """Before a node is given back in the middle of its reboot: asks for nothing, waits for what is under way."""
    watch = _watch(run, node)
    hint = f"look at its console; `rackroll abort` again, or leave it as it is with `--leave {node}`"
    _until_back(run, node, watch.look, hint)


def _until_back(run: Run, node: str, look: Look, hint: str) -> None:
    """A host that stays silent is said to be rebooting: the port's own words are of a command that is run again."""

    def told() -> str | None:
        try:
            return look()
        except Unreachable as error:
            text = f"not back from its reboot: {error.message}"
            raise Unreachable(text, where=error.where or node, hint=hint) from None

    run.until(f"{node} back from its reboot", told, hint=hint)


def _watch(run: Run, node: str) -> _Watch:
    return _Watch(run, node, run.notes.get(_boot(node), ""), run.notes.get(_ready(node), ""))


@dataclass(slots=True)
class _Watch:
    """``before``: the noted boot; ``ready``: lines on gateways that were Ready in it; ``now``: the boot seen last.

    ``sent``: this process has asked for a reboot, and ``accepted``: the host said that it will.
    ``heartbeat`` is the first that the API showed once the host was in another boot: only a later one is that boot's.
    """

    run: Run
    node: str
    before: str
    ready: str
    now: str = ""
    sent: bool = False
    accepted: bool = False
    heartbeat: str | None = None

    def ask_and_look(self) -> str | None:
        if not self._same():
            return self._unseen()
        if not self.accepted and not self._going_down():
            self._ask()
        return f"it still is in the boot of before ({self.before})"

    def look(self) -> str | None:
        """A host in the noted boot that is not going down was never asked to, or refused."""
        if not self._same():
            return self._unseen()
        return "it is going down" if self._going_down() else None

    def _same(self) -> bool:
        """A boot that was never noted cannot be waited for; the one there is then is."""
        found = _boot_of(self.run, self.node)
        if found != self.now:
            self.now, self.heartbeat = found, None
        return bool(self.before) and _plain(found) == _plain(self.before)

    def _going_down(self) -> bool:
        """By systemd's and logind's word; kubelets and others hold a shutdown up for a while after it was asked for."""
        lines = _asked(self.run, self.node, GOING_DOWN).output.splitlines()
        return any(line.strip() in ("stopping", "b true") for line in lines)

    def _ask(self) -> None:
        """A session that the reboot cut short may have asked or not: the next looks at the boot id tell."""
        self.sent = True
        try:
            outcome = _asked(self.run, self.node, asking(self.before))
        except Unreachable:
            return
        refused = 0 < outcome.exit_code < _SIGNALLED
        if refused and self._same() and not self._going_down():
            said = outcome.output[-400:] or "nothing"
            text = (
                f"the reboot was refused: `systemctl reboot` exited with {outcome.exit_code}; it said: {said}"
            )
            raise StepFailed(
                text, where=self.node, hint="repair the cause, then `rackroll resume`: it asks again"
            )
        self.accepted = True

    def _unseen(self) -> str | None:
        """What the API still tells of an earlier boot, or not yet of this one."""
        seen = self.run.world.cluster.boot(self.node)
        if seen is None:
            return "the API has no such node"
        if seen.boot and _plain(seen.boot) != _plain(self.now):
            return f"the API still speaks of boot {seen.boot}, the host is in {self.now}"
        if not seen.boot and not self._beat(seen):
            return "the API names no boot, and its last heartbeat may be from before"
        if not seen.ready:
            return "the node is NotReady"
        stale = sorted(set(filter(None, self.ready.splitlines())) & set(seen.ready_since))
        return f"the API still shows {', '.join(stale)}, as before the reboot" if stale else None

    def _beat(self, seen: NodeBoot) -> bool:
        """Compared with itself and with no clock: those of two machines differ, the old kubelet is dead by now."""
        if self.heartbeat is None:
            self.heartbeat = seen.heartbeat
        return seen.heartbeat != self.heartbeat
