"""What a hand-over meets that was there before it, on a real API server: it is refused in words, and nothing moves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.signers import istiod, linkerd, objects
from lab.signers.generation import mint
from lab.signers.leaf import key_pem, pem
from rollout.adapters.kube.api import KubeApi
from rollout.adapters.trust.objects import KubeTrust
from rollout.engine.trust import Declared
from rollout.errors import StepFailed
from rollout.model.rekey import Signer
from tests.e2e.signers.rotation import kube_trust, site_of
from tests.unit import subject_sites
from tests.unit.mesh_keys import keys_of

OLD, NEW = Signer(1, 1), Signer(2, 1)


def trust_of(kind: str, space: str, api: KubeApi, folder: Path) -> KubeTrust:
    site = subject_sites.istio() if kind == "istio" else subject_sites.linkerd()
    mesh = next(mesh for mesh in site.meshes if mesh.name == kind)
    return kube_trust(site_of(replace(mesh, namespace=space)), keys_of(kind, folder, 2), api)


@pytest.mark.parametrize("kind", ["istio", "linkerd"])
def test_what_was_handed_over_is_read_back_in_its_order_each_time(
    kind: str, api: KubeApi, tmp_path: Path
) -> None:
    trust = trust_of(kind, f"read-back-{kind}", api, tmp_path)
    assert trust.declared() == Declared((), None)
    for trusts, signer in (((1,), OLD), ((1, 2), OLD), ((1, 2), NEW), ((2,), NEW)):
        trust.hand_over(trusts, signer)
        assert trust.declared() == Declared(trust.anchors(trusts), trust.authority(signer))


def test_a_secret_that_somebody_else_wrote_is_left_as_it_is_and_its_owner_is_named(
    api: KubeApi, tmp_path: Path
) -> None:
    trust, space, theirs = trust_of("istio", "owned", api, tmp_path), "owned", mint("istio", 7)
    objects.make_namespace(api, space)
    own = pem([theirs.issuer.certificate])
    files = {"ca-cert.pem": own, "cert-chain.pem": own, "ca-key.pem": key_pem(theirs.issuer.key)}
    objects.put_secret(api, space, istiod.SECRET, {**files, "root-cert.pem": pem([theirs.root])})
    before = api.get(objects.secret_path(space, istiod.SECRET))
    with pytest.raises(
        StepFailed, match=f'cannot apply Secret {istiod.SECRET}.*conflict.*"rackroll-lab"'
    ) as refused:
        trust.hand_over((1,), OLD)
    assert "decide who owns this field" in refused.value.hint
    assert "PRIVATE KEY" not in str(refused.value)
    assert api.get(objects.secret_path(space, istiod.SECRET)) == before


def test_a_secret_of_linkerds_other_scheme_is_refused_by_its_type(api: KubeApi, tmp_path: Path) -> None:
    """``linkerd.io/tls`` is an Opaque one with other names in it; the signer in it cannot be told either."""
    trust, space = trust_of("linkerd", "other-scheme", api, tmp_path), "other-scheme"
    objects.make_namespace(api, space)
    objects.put_secret(api, space, linkerd.SECRET, {"crt.pem": "x", "key.pem": "y"})
    assert trust.declared().signer is None
    with pytest.raises(StepFailed, match=rf"cannot apply Secret {linkerd.SECRET}.*conflict.*\.type"):
        trust.hand_over((1,), OLD)
