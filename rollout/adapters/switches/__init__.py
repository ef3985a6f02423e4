"""Top-of-rack switches over SSH. Today FRR only; another vendor is another driver beside ``frr``."""

from rollout.adapters.switches.port import SshSwitches

__all__ = ["SshSwitches"]
