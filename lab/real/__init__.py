"""The embedded lab on a real Kubernetes: upstream's control plane and MetalLB, with the lab's kubelets."""
