"""Hosts through pyinfra, which lives in a child process of its own (docs/decisions/pyinfra-in-a-child-process.md)."""

from rollout.adapters.hosts.parent import PyinfraHosts

__all__ = ["PyinfraHosts"]
