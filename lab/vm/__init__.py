"""The lab on virtual machines: nodes and ToRs with kernels and clocks of their own (vagrant/topology.yaml).

The hypervisor (libvirtd, and with it every machine) lives in the lab's out-of-band network namespace and in a mount
namespace of its own. So a libvirtd that the machine runs itself is never met, nothing is added to the machine's
network, and whoever takes the namespace down takes the machines along.
"""
