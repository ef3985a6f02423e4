"""The pyinfra side: install if missing, write, restart only if changed, wait until the clock is right."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from datetime import timedelta

from pyinfra.api.deploy import deploy
from pyinfra.api.operation import operation
from pyinfra.context import host

from roles.chrony.clock import CONF_FILE, SETTLE_TIMEOUT, SYNC_TIMEOUT, checked, render, verdict
from roles.chrony.facts import ChronyFacts, ChronyState
from rollout.model.site import ClockProfile

_INSTALL = "command -v chronyd >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -q chrony"

_EVERY = timedelta(milliseconds=100)
"""Between two looks at chronyd."""

# Debian's init script returns from `stop` before chronyd is gone, and its `start` then finds it running: wait.
_RESTART = """
if [ -d /run/systemd/system ]; then systemctl enable -q chrony; systemctl restart chrony
else
  pid="$(cat /run/chrony/chronyd.pid 2>/dev/null || true)"
  service chrony stop
  i=0; while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && [ $i -lt 100 ]; do sleep 0.05; i=$((i+1)); done
  service chrony start
fi
"""


@deploy("chrony")
def chrony(profile: ClockProfile) -> None:
    clock(name="clock follows the site's servers", profile=checked(profile))


@operation()
def clock(profile: ClockProfile) -> Generator[str, None, None]:
    """chrony.conf as rendered, chronyd running, synchronised and within ``max_offset``; silent where all that holds.

    A clock that is merely late is not restarted: it is waited for, bounded, and named if it does not arrive.
    """
    before = _state()
    if before.conf != render(profile) or before.tracking is None:
        yield _configure_script(profile)
    elif verdict(before.tracking, profile) is None:
        return
    yield _wait_script(profile)
    wrong = verdict(_state().tracking, profile)
    if wrong:
        yield f"printf '%s\\n' {shlex.quote(f'clock of {host.name}: {wrong}')} >&2; exit 1"


def _state() -> ChronyState:
    return host.get_fact(ChronyFacts) or ChronyState()


def _configure_script(profile: ClockProfile) -> str:
    conf = shlex.quote(render(profile))
    return "\n".join(
        (
            "set -e",
            "export PATH=$PATH:/sbin:/usr/sbin",
            _INSTALL,
            f"mkdir -p {CONF_FILE.rpartition('/')[0]}/conf.d",
            f"printf %s {conf} > {CONF_FILE}.new",
            f"mv {CONF_FILE}.new {CONF_FILE}",
            _RESTART,
        )
    )


def _wait_script(profile: ClockProfile) -> str:
    """First for a source, then for the offset. Its word is not taken: the verdict is passed afterwards, on facts."""
    tries = SYNC_TIMEOUT // _EVERY
    source = f"chronyc waitsync {tries} 0 0 {_EVERY.total_seconds():g} >/dev/null"
    return f"{source} && {{ {_settled(profile.max_offset)} }}; true"


def _settled(most: timedelta) -> str:
    """Until what is left to correct and what was measured last are both within bounds, as the verdict wants them.

    `waitsync` looks at the first alone: right after a step nothing is left, and the last measurement is the step's own.
    """
    within = (
        "$5 < 0 { $5 = -$5 } $6 < 0 { $6 = -$6 } "
        f"NF == 14 {{ ok = $5 <= {most.total_seconds():g} && $6 <= {most.total_seconds():g} }} END {{ exit !ok }}"
    )
    tries, pause = SETTLE_TIMEOUT // _EVERY, f"{_EVERY.total_seconds():g}"
    ask = f"chronyc -c tracking | awk -F, {shlex.quote(within)}"
    return f"i=0; until {ask} || [ $i -ge {tries} ]; do i=$((i+1)); sleep {pause}; done;"
