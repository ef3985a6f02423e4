"""What a host's chrony is and says, read in one round trip."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from roles.chrony.clock import CONF_FILE, Tracking, parse_tracking

_SCRIPT = f"""
export PATH=$PATH:/sbin:/usr/sbin
command -v chronyd >/dev/null && echo installed
chronyc -c tracking 2>/dev/null | sed 's/^/tracking /'
[ -e {CONF_FILE} ] && sed 's/^/conf /' {CONF_FILE}
true
"""


@dataclass(slots=True)
class ChronyState:
    installed: bool = False
    tracking: Tracking | None = None
    conf: str = ""


class ChronyFacts(FactBase[ChronyState]):
    def command(self) -> str:
        return _SCRIPT

    def process(self, output: list[str]) -> ChronyState:
        state = ChronyState()
        for line in output:
            word, _, rest = line.partition(" ")
            match word:
                case "installed":
                    state.installed = True
                case "tracking":
                    state.tracking = parse_tracking(rest)
                case "conf":
                    state.conf += f"{rest}\n"
        return state
