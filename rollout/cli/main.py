"""The command line: parse, wire, render, exit. The only place that catches our errors."""

from __future__ import annotations

import os
import sys

import click

from pki.errors import PkiError
from rollout.cli.lazy import LazyGroup
from rollout.errors import RackrollError

EXIT_INTERRUPTED = 130

_COMMANDS = {
    "demo": (
        "rollout.cli.demo.command",
        "demo",
        "Build the lab, bring it up, upgrade it under load, show the score.",
    ),
    "drill": (
        "rollout.cli.drill.command",
        "drill",
        "Rotate a mesh's root on the lab under traffic, and count what fails.",
    ),
    "lab": ("rollout.cli.lab", "lab", "Build, inspect and remove the embedded lab."),
    "site": ("rollout.cli.site", "site", "Check a site file, or print its schema."),
    "check": ("rollout.cli.check", "check", "Ask what the gates of a rollout would say now."),
    "rules": ("rollout.cli.rules", "rules", "Show the version rules that plans are proven with."),
    "plan": ("rollout.cli.plan", "plan", "Work out what would be done, and prove it."),
    "verify": ("rollout.cli.verify", "verify", "Check a saved plan with code that did not make it."),
    "approve": ("rollout.cli.approve", "approve", "Sign a saved plan, or see who has."),
    "apply": ("rollout.cli.apply", "apply", "Carry out a saved plan."),
    "resume": ("rollout.cli.apply", "resume", "Go on with the run that was held, interrupted or killed."),
    "hold": ("rollout.cli.hold", "hold", "Ask the running process to stop at its next safe point."),
    "abort": ("rollout.cli.abort", "abort", "End the unfinished run; put its nodes back in service."),
    "rollback": ("rollout.cli.rollback", "rollback", "Take the newest run back, data planes first."),
    "pki": ("rollout.cli.pki", "pki", "Mint and check mesh CAs; say what runs out when."),
    "status": ("rollout.cli.status", "status", "Show the current or last run of a site."),
    "report": ("rollout.cli.report", "report", "Report on a run: times, stops, N-1, before and after."),
}

_EXIT_CODES = """\b
Exit codes:
  0 done                 4 unreachable
  1 error                5 held by a gate or by hand (resumable)
  2 changes pending      6 rolled back
  3 refused by a rule    130 interrupted (resumable)
"""


@click.group(
    cls=LazyGroup,
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EXIT_CODES,
)
@click.version_option(package_name="rackroll")
@click.option("--debug", is_flag=True, help="On an error, show the traceback as well.")
def cli(debug: bool) -> None:
    """Take bare-metal racks from cabled to serving mesh traffic; upgrade them rack by rack, never below N-1."""
    if debug:
        os.environ["RACKROLL_DEBUG"] = "1"


def run(argv: list[str] | None = None) -> None:
    """Entry point of the ``rackroll`` command; every way out is an exit code of the table above."""
    try:
        code = cli.main(args=argv, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code if error.exit_code != 2 else 1
    except click.Abort:
        code = EXIT_INTERRUPTED
    except KeyboardInterrupt:
        click.echo("rackroll: interrupted", err=True)
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        code = _quiet_pipe()
    except (RackrollError, PkiError) as error:
        if os.environ.get("RACKROLL_DEBUG"):
            raise
        click.echo(f"rackroll: {error}", err=True)
        code = error.exit_code
    except Exception as error:
        if os.environ.get("RACKROLL_DEBUG"):
            raise
        code = _bug(error)
    sys.exit(code if isinstance(code, int) else 0)


def _bug(error: Exception) -> int:
    """Our mistake, not the user's: say so in two lines, and how to get what a report needs."""
    click.echo(f"rackroll: internal error: {type(error).__name__}: {error}", err=True)
    click.echo("  next: run it again as `rackroll --debug …` and report the traceback", err=True)
    return 1


def _quiet_pipe() -> int:
    """Whoever read our output has gone: nothing more can be said, and that is not an error of ours."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    run()
