"""Small controllers, one file each: look at the store, make one thing more true, say when to look again."""

from __future__ import annotations

from lab.kube.controllers.addresses import Addresses
from lab.kube.controllers.autoscalers import Autoscalers
from lab.kube.controllers.budgets import Budgets
from lab.kube.controllers.collector import Collector
from lab.kube.controllers.daemonsets import DaemonSets
from lab.kube.controllers.definitions import Definitions
from lab.kube.controllers.deployments import Deployments
from lab.kube.controllers.endpoints import EndpointSlices
from lab.kube.controllers.jobs import Jobs
from lab.kube.controllers.loop import Controller
from lab.kube.controllers.namespaces import Namespaces
from lab.kube.controllers.nodes import Nodes
from lab.kube.controllers.replicasets import ReplicaSets
from lab.kube.controllers.scheduler import Scheduler
from lab.kube.controllers.statefulsets import StatefulSets
from lab.kube.store import Store


def all_controllers(store: Store) -> list[Controller]:
    """Everything a cluster needs; what MetalLB's chart brings is in :mod:`.addresses` and waits for it."""
    return [
        Definitions(store),
        Namespaces(store),
        Nodes(store),
        Scheduler(store),
        Deployments(store),
        ReplicaSets(store),
        DaemonSets(store),
        StatefulSets(store),
        Autoscalers(store),
        EndpointSlices(store),
        Budgets(store),
        Jobs(store),
        Collector(store),
        Addresses(store),
    ]
