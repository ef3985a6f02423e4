"""The site's own commands."""

from __future__ import annotations

from rollout.engine.context import Run
from rollout.engine.outcome import Done, Word
from rollout.errors import StepFailed
from rollout.model.step import RunCommand

SHOWN = 400
"""Characters of a failed command's output that an error shows: its end."""


def run_command(run: Run, effect: RunCommand) -> Done:
    """At-least-once: nobody can see from here whether a command that was cut short has done its work."""
    outcome = run.world.commands.run(effect.host, effect.argv)
    if outcome.exit_code:
        said = outcome.output[-SHOWN:] or "nothing"
        text = f"{effect.purpose} exited with {outcome.exit_code}; it said: {said}"
        hint = "repair the cause, then `rackroll resume`: the command is run again"
        raise StepFailed(text, where=effect.host, hint=hint)
    last = outcome.output.splitlines()[-1:] or [""]
    return Done(Word.DONE, last[0][:SHOWN], (("commands.run", 1),))
