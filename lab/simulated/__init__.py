"""SIMULATED hosts, ToRs, outside client: a model over the simulated Kubernetes API, for machines without namespaces.

Nothing here touches a kernel, a switch or a socket of a gateway. Wherever its figures show they are labelled
simulated. The plan, the engine, Helm and the Kubernetes calls are the real ones.
"""
