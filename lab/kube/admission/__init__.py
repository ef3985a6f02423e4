"""What happens to objects on their way in: defaults, allocation, validation, sidecar injection."""

from __future__ import annotations

from lab.kube.admission.consul_injection import ConsulInjector
from lab.kube.admission.defaults import DEFAULTS
from lab.kube.admission.injection import Injector
from lab.kube.admission.linkerd_injection import LinkerdInjector
from lab.kube.admission.services import ServiceAllocator
from lab.kube.admission.validation import VALIDATIONS
from lab.kube.resource import PODS, SERVICES
from lab.kube.store import Store


def install(store: Store) -> None:
    """In the real order: mutation (injection sees raw pods), defaults, allocation, then validation."""
    for injector in (Injector(store), LinkerdInjector(store), ConsulInjector(store)):
        store.add_admission(PODS, injector.admit)
    for resource, default in DEFAULTS.items():
        store.add_admission(resource, default)
    store.add_admission(SERVICES, ServiceAllocator(store).admit)
    for resource, validate in VALIDATIONS.items():
        store.add_admission(resource, validate)
