"""How to log in to a host, in a site file: its own words, its rack's, the site's."""

from __future__ import annotations

from datetime import timedelta

from rollout.site.scalars import Duration, Host, Port, Text
from rollout.site.section import Section


class SshDefaults(Section):
    """How to log in, unless a rack, node or switch says otherwise."""

    user: Text = "root"
    port: Port = 22
    key_file: Text = "~/.ssh/id_ed25519"
    known_hosts: Text = "~/.ssh/known_hosts"
    timeout: Duration = timedelta(seconds=5)


class SshOverride(Section):
    user: Text | None = None
    port: Port | None = None
    key_file: Text | None = None
    known_hosts: Text | None = None
    timeout: Duration | None = None


class SshTarget(SshOverride):
    address: Host
