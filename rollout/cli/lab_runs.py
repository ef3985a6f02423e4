"""What becomes of a lab's unfinished run when the lab goes: it is ended, for nobody can go on with it."""

from __future__ import annotations

from pathlib import Path

from rollout.cli.output import say
from rollout.errors import RackrollError


def write_off_run(folder: Path) -> None:
    """Says which run it ended, or why it could not: the lab is gone all the same, and the next one would meet it."""
    from rollout.engine.abort import write_off
    from rollout.engine.opened import durable, kept
    from rollout.site.load import load_site

    try:
        site = load_site(folder)
        run = write_off(durable(site)) if kept(site) else None
    except RackrollError as error:
        say(f"an unfinished run, if there is one, is not ended with the lab: {error}")
        return
    if run is not None:
        say(f"run {run} was not finished and ended with the lab; see it: rackroll report {run} -i {folder}")
