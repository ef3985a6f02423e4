"""A container image's tag, read as a version. Pure."""

from __future__ import annotations

from rollout.adapters.kube.view import PodView

UNKNOWN = "unknown"
_VARIANTS = ("-distroless", "-debug")


def image_version(image: str) -> str:
    """``quay.io/metallb/speaker:v0.16.1`` is 0.16.1; without a tag nobody knows.

    Istio's image variants (``1.30.3-distroless``) are the same release.
    """
    name, _, tag = image.split("@", 1)[0].rpartition(":")
    if not name or "/" in tag:
        return UNKNOWN
    for variant in _VARIANTS:
        tag = tag.removesuffix(variant)
    return plain(tag)


def plain(version: str) -> str:
    """Without the ``v`` that images and kubelets put before the number."""
    return version[1:] if version[:1] == "v" and version[1:2].isdigit() else version


def container_image(pod: PodView, name: str) -> str | None:
    """A native sidecar is an init container that keeps running: Istio injects those by default since 1.27."""
    both = (*pod.spec.containers, *pod.spec.init_containers)
    return next((container.image for container in both if container.name == name), None)
