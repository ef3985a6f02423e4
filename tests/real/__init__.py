"""A real control plane for tests, with KWOK in the kubelets' place."""
