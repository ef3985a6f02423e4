"""``python -m rollout.adapters.hosts.child``: one pyinfra job from stdin, one JSON result on stdout, always.

The only place where gevent replaces the standard library's blocking calls: that must come before anything else is
imported, and must not happen to the engine (SQLite journal, kubernetes client, threads).
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import sys  # noqa: E402

from rollout.adapters.hosts.job import Job, Result  # noqa: E402


def main() -> int:
    """Nothing but the result may reach stdout, whatever pyinfra or a role prints: the descriptor itself is moved."""
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    result = _result(sys.stdin.read())
    results.write(result.to_json())
    results.close()
    return 0


def _result(text: str) -> Result:
    try:
        from rollout.adapters.hosts.run import run

        return run(Job.from_json(text))
    except Exception as error:
        return Result((), f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    sys.exit(main())
