"""A node before Kubernetes needs it: kernel, then clock. Run by ``rackroll`` and by plain ``pyinfra`` alike."""

from pyinfra import host

from roles.chrony.deploy import chrony
from roles.kernel.deploy import kernel
from rollout.adapters.hosts.job import clock_profile, kernel_profile

kernel(kernel_profile(host.data.kernel))
chrony(clock_profile(host.data.clock))
