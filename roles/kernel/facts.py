"""What a host's kernel settings are, read in one round trip."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from pyinfra.api.facts import FactBase

from roles.kernel.profile import MODULES_FILE

_SCRIPT = """
for key in %(keys)s; do
  path="/proc/sys/$(printf %%s "$key" | tr . /)"
  if [ -r "$path" ] && value="$(cat "$path" 2>/dev/null)"; then printf 'live %%s %%s\\n' "$key" "$value"; fi
done
for file in /etc/sysctl.d/*.conf /run/sysctl.d/*.conf /usr/local/lib/sysctl.d/*.conf /usr/lib/sysctl.d/*.conf \
  /lib/sysctl.d/*.conf /etc/sysctl.conf; do
  [ -e "$file" ] && { printf 'file %%s\\n' "$file"; sed -n '/^[[:space:]]*[^#;[:space:]]/s/^/set /p' "$file"; }
done
for module in %(modules)s; do
  path="$(PATH="$PATH:/sbin:/usr/sbin" modinfo -n "$module" 2>/dev/null)"
  case "$path" in /*) printf 'loadable %%s\\n' "$module";; esac
done
[ -e %(modules_file)s ] && sed -n '/^[^#]/s/^/boots /p' %(modules_file)s
true
"""


@dataclass(slots=True)
class KernelState:
    """``live``: readable keys. ``files``: what each sysctl file sets. ``loadable``: modules that exist as files."""

    live: dict[str, str] = field(default_factory=dict)
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    loadable: set[str] = field(default_factory=set)
    boots: set[str] = field(default_factory=set)


class KernelFacts(FactBase[KernelState]):
    """Built-in functionality is not ``loadable``: there is nothing to put into modules-load.d then."""

    def command(self, keys: tuple[str, ...], modules: tuple[str, ...]) -> str:
        return _SCRIPT % {
            "keys": " ".join(map(shlex.quote, keys)) or "''",
            "modules": " ".join(map(shlex.quote, modules)),
            "modules_file": MODULES_FILE,
        }

    def process(self, output: list[str]) -> KernelState:
        state = KernelState()
        entries: dict[str, str] = {}
        for line in output:
            word, _, rest = line.partition(" ")
            match word:
                case "live":
                    key, _, value = rest.partition(" ")
                    state.live[key] = value
                case "file":
                    entries = state.files.setdefault(rest, {})
                case "set" if "=" in rest:
                    key, _, value = rest.partition("=")
                    entries[key.strip()] = value.strip()
                case "loadable":
                    state.loadable.add(rest)
                case "boots":
                    state.boots.add(rest.strip())
        return state
