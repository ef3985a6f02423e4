"""A container image's tag, read as a version. Pure."""

from __future__ import annotations

from rollout.adapters.kube.view import PodView
from rollout.model.image import tag_version

UNKNOWN = "unknown"


def image_version(image: str) -> str:
    """``quay.io/metallb/speaker:v0.16.1`` is 0.16.1; without a tag nobody knows.

    Istio's image variants (``1.30.3-distroless``) are the same release.
    """
    return tag_version(image) or UNKNOWN


def plain(version: str) -> str:
    """Without the ``v`` that images and kubelets put before the number."""
    return version[1:] if version[:1] == "v" and version[1:2].isdigit() else version


def container_image(pod: PodView, name: str) -> str | None:
    """A native sidecar is an init container that keeps running: Istio injects those by default since 1.27."""
    both = (*pod.spec.containers, *pod.spec.init_containers)
    return next((container.image for container in both if container.name == name), None)
