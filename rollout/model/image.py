"""Container image references: the version in a tag, and the spelling under which a node lists them."""

from __future__ import annotations

_VARIANTS = ("-distroless", "-debug")
_DOCKER_HUB = "docker.io"


def tag_of(image: str) -> str:
    """Empty without a tag: what runs by digest alone has no version that anybody could read."""
    name, _, tag = image.split("@", 1)[0].rpartition(":")
    return tag if name and "/" not in tag else ""


def tag_version(image: str) -> str:
    """``docker.io/istio/proxyv2:1.30.3-distroless@sha256:...`` is 1.30.3, ``speaker:v0.16.1`` is 0.16.1."""
    tag = tag_of(image)
    for variant in _VARIANTS:
        tag = tag.removesuffix(variant)
    return tag[1:] if tag[:1] == "v" and tag[1:2].isdigit() else tag


def with_version(image: str, before: str, after: str) -> str:
    """The same image at another version, variant kept; without the digest, which is another one then."""
    plain = image.split("@", 1)[0]
    if before == after:
        return plain
    tag = tag_of(image)
    return plain.removesuffix(tag) + tag.replace(before, after, 1)


def canonical(image: str) -> str:
    """As containerd lists it: registry and Docker Hub's ``library/`` spelled out, no digest beside a tag."""
    plain = image.split("@", 1)[0] if tag_of(image) else image
    first, slash, _ = plain.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return plain
    return f"{_DOCKER_HUB}/{plain}" if slash else f"{_DOCKER_HUB}/library/{plain}"
