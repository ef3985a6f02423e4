"""A simulated Kubernetes API for the lab: object store, HTTP API, controllers. Nothing here runs a container.

What it imitates and what it does not is told by ``lab status`` and held to account by tests/contract.
"""
