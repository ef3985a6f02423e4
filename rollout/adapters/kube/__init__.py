"""The Kubernetes API behind :class:`rollout.engine.ports.Cluster`.

The official client does authentication, TLS and connection pooling; bodies are raw JSON and small
projections. Its typed models are 20 times slower on a thousand nodes, and one field that an API server
leaves out kills a whole watch.
"""

from rollout.adapters.kube.cluster import KubeCluster as KubeCluster
