"""Kernel settings of a node: as the site says, live and after a reboot.

:mod:`roles.kernel.profile` is pure (what is a legal profile, what differs); :mod:`roles.kernel.deploy` is the
pyinfra side and is imported only where pyinfra runs.
"""
