"""The meshes' own certificate authorities, run for real: istiod, Linkerd's identity controller, Consul's Connect CA.

They run beside a real control plane and no proxy runs with them: `fleet.py` plays what a proxy does with what it is
given. Only `make e2e` uses this package, and ``grpc``, which it needs, is a dev extra.
"""
