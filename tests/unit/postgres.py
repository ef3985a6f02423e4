"""A Postgres cluster of the tests' own: made by an unprivileged user in a temporary folder, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

PASSWORD = "s3cret-of-the-tests"  # noqa: S105 - a cluster that lives for seconds on the loopback


@dataclass(frozen=True, slots=True)
class Cluster:
    """``url`` leads to ``database`` by TCP with a password, as a real one would."""

    folder: Path
    port: int

    def url(self, database: str) -> str:
        return f"postgresql://rackroll:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        words = [
            str(program("psql")),
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            self.url(database),
            "-c",
            statement,
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def stop(self, mode: str = "immediate") -> None:
        _as_user(str(program("pg_ctl")), "-D", str(self.data), "-m", mode, "-w", "stop")

    def start(self) -> None:
        """Dies with the test process, also where that is killed and cleans nothing up."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        words = [str(program("postgres")), "-D", str(self.data), "-p", str(self.port), *options]
        with (self.folder / "log").open("ab") as log:
            subprocess.Popen([*_mortal(), *words], stdout=log, stderr=log, cwd="/")
        asked = [str(program("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        for _ in range(200):
            if subprocess.run(asked, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())

    @property
    def data(self) -> Path:
        return self.folder / "data"


def program(name: str) -> Path | None:
    """Debian keeps the server's programs out of PATH, by version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    on_path = shutil.which(name)
    return found[-1] if found else Path(on_path) if on_path else None


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Skipped aloud where Postgres is not installed; in CI that is an error."""
    if program("initdb") is None:
        reason = "no Postgres here: apt-get install postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="rackroll-postgres-"))
    cluster = Cluster(folder, _free_port())
    try:
        _initialised(cluster)
        cluster.start()
        yield cluster
    finally:
        if (cluster.data / "postmaster.pid").exists():
            cluster.stop()
        shutil.rmtree(folder)


def _initialised(cluster: Cluster) -> None:
    secret = cluster.folder / "password"
    secret.write_text(PASSWORD)
    if os.geteuid() == 0:
        user = _unprivileged()
        for path in (cluster.folder, secret):
            os.chown(path, user.pw_uid, user.pw_gid)
    words = [
        "-D",
        str(cluster.data),
        "-U",
        "rackroll",
        "--pwfile",
        str(secret),
        "-A",
        "scram-sha-256",
        "-E",
        "UTF8",
    ]
    _as_user(str(program("initdb")), *words, "--locale=C", "--no-sync")


def _unprivileged() -> pwd.struct_passwd:
    """Debian's package makes ``postgres``; a server refuses to run as root."""
    return pwd.getpwnam("postgres")


def _as_user(*words: str) -> None:
    user = _unprivileged() if os.geteuid() == 0 else None
    run = partial(subprocess.run, words, capture_output=True, text=True, check=False, cwd="/")
    done = run(user=user.pw_uid, group=user.pw_gid, extra_groups=()) if user else run()
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"


def _mortal() -> list[str]:
    words = ["setpriv", "--pdeathsig=QUIT"]
    if os.geteuid() == 0:
        user = _unprivileged()
        words += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return [*words, "--"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
