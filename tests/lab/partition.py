"""How long a run and its lock outlive their database: three figures, in seconds. Run in a network namespace.

python -m tests.lab.partition FOLDER
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

import pytest

from rollout.engine.durable import DurableJournal
from rollout.engine.execute import Once
from rollout.engine.journal import Fate
from rollout.engine.journalurl import journal_url
from rollout.engine.outcome import StepOutcome, Word
from rollout.errors import Unreachable
from tests.unit.postgres import Cluster, running_cluster


@contextmanager
def dropped(port: int) -> Iterator[float]:
    """Nothing from or to that port arrives any more. Gives the moment it began."""
    rules = f"table inet cut {{\nchain input {{\ntype filter hook input priority 0\ntcp dport {port} drop\n"
    rules += f"tcp sport {port} drop\n}}\n}}\n"
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    try:
        yield time.monotonic()
    finally:
        subprocess.run(["nft", "delete", "table", "inet", "cut"], check=True)


def main(folder: Path) -> None:
    with running_cluster() as cluster:
        cluster.sql("CREATE DATABASE journal")
        journal = DurableJournal(folder, "cut", journal_url(cluster.url("journal"), {}))
        run_is_cut_off(journal, cluster)
        holder_is_cut_off(journal, cluster)


def run_is_cut_off(journal: DurableJournal, cluster: Cluster) -> None:
    """In the middle of an effect that waits, as most do."""
    stop = Event()
    with ExitStack() as cut, journal.owned("cut-1"):
        began: list[float] = []

        def wait() -> StepOutcome:
            began.append(cut.enter_context(dropped(cluster.port)))
            assert stop.wait(60), "nobody noticed"
            said("stop", began[0])
            return StepOutcome(Word.DONE, "its effect was complete when it was asked to stop")

        with pytest.raises(Unreachable):
            journal.drive("cut-1", lambda once: told(once, wait), stop)
        said("end", began[0])
    assert journal.fate("cut-1") is Fate.UNFINISHED


def told(once: Once, make: Callable[[], StepOutcome]) -> None:
    once("0001 wait #1", make)


def holder_is_cut_off(journal: DurableJournal, cluster: Cluster) -> None:
    """Another process has the lock; only its connection is cut, so that this one can watch the lock."""
    holder = os.fork()
    if holder == 0:
        with journal.owned("cut-2"):
            signal.pause()
    while journal.holder() is None:
        time.sleep(0.1)
    port = int(cluster.sql("SELECT client_port FROM pg_stat_activity WHERE application_name = 'rackroll'"))
    with dropped(port) as began:
        while journal.holder() is not None:
            time.sleep(0.1)
        said("free", began)
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)


def said(what: str, began: float) -> None:
    print(what, round(time.monotonic() - began, 1), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
