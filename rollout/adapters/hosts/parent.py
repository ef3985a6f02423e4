"""The engine's :class:`rollout.engine.ports.Hosts`: one pyinfra job per call, in a process that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from roles.chrony.clock import checked as checked_clock
from roles.kernel.profile import checked as checked_kernel
from rollout.adapters.hosts.job import Job, Result, host_data
from rollout.engine.ports import HostOutcome
from rollout.errors import StepFailed
from rollout.model.site import Node, Site

_ROOT = Path(__file__).parents[3]
NODE_DEPLOY = _ROOT / "deploys" / "node.py"
_AGAIN = "run it again: it is idempotent"
CHILD = (sys.executable, "-m", "rollout.adapters.hosts.child")


@dataclass(frozen=True, slots=True)
class PyinfraHosts:
    """``timeout`` bounds a whole job: all hosts, connecting included. ``child`` is replaced in tests."""

    site: Site
    timeout: timedelta = timedelta(minutes=5)
    connect_timeout: timedelta = timedelta(seconds=10)
    child: tuple[str, ...] = CHILD

    def configure(self, nodes: Sequence[Node], *, dry_run: bool) -> tuple[HostOutcome, ...]:
        """One outcome a node, in the order given; a node that failed says why and stops no other.

        Raises ``SiteInvalid`` for a profile no host may have, ``StepFailed`` when the job itself broke or overran.
        """
        checked_kernel(self.site.kernel)
        checked_clock(self.site.clock)
        if not nodes:
            return ()
        result = self._run(self._job(nodes, dry_run))
        if result.failure:
            raise StepFailed(f"the pyinfra job failed: {result.failure}", where="hosts", hint=_AGAIN)
        found = {outcome.node: outcome for outcome in result.outcomes}
        return tuple(
            found.get(node.name, HostOutcome(node.name, (), "pyinfra did not report it")) for node in nodes
        )

    def _job(self, nodes: Sequence[Node], dry_run: bool) -> Job:
        return Job(
            deploy=str(NODE_DEPLOY),
            dry_run=dry_run,
            connect_timeout=max(self.connect_timeout, *(node.ssh.timeout for node in nodes)).total_seconds(),
            hosts={node.name: host_data(self.site, node) for node in nodes},
        )

    def _run(self, job: Job) -> Result:
        # A session of its own: Ctrl-C in the terminal reaches rackroll, which decides; the child is then killed here.
        process = subprocess.Popen(
            self.child,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH")))),
            },
        )
        try:
            out, err = process.communicate(job.to_json(), timeout=self.timeout.total_seconds())
        except subprocess.TimeoutExpired as error:
            raise StepFailed(
                f"the pyinfra job did not end within {self.timeout.total_seconds():g} s and was killed",
                where="hosts",
                hint="look for a host that hangs (`ssh <host> true`), then run again: it is idempotent",
            ) from error
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        return _result(out, err, process.returncode)


def _result(out: str, err: str, status: int) -> Result:
    try:
        return Result.from_json(out)
    except (ValueError, KeyError, TypeError) as error:
        said = " / ".join(err.strip().splitlines()[-3:]) or "nothing"
        raise StepFailed(
            f"the pyinfra process ended with status {status} and no result; it said: {said}",
            where="hosts",
            hint="run it again: it is idempotent; if it stays, run `pyinfra <inventory> deploys/node.py -v`",
        ) from error
