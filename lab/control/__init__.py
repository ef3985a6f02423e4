"""A real Kubernetes control plane on this machine: programs built from their Go modules, run without a node."""
