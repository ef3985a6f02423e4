"""Only an issuer goes into a Secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from pki.errors import PkiError
from pki.material import IssuerMaterial
from pki.stores.secret import for_secret
from tests.unit.pki_homes import NOW, home


def test_an_issuer_may_go_into_a_secret(tmp_path: Path) -> None:
    own = home(tmp_path, "linkerd")
    own.begin(NOW)
    material = own.issuer_material(1, 1)
    assert for_secret(material, "linkerd/linkerd-identity-issuer") is material


def test_a_root_in_a_secret_is_refused_consuls_too(tmp_path: Path) -> None:
    own = home(tmp_path, "consul")
    own.begin(NOW)
    with pytest.raises(PkiError, match="is a root: its key stays in its store") as caught:
        for_secret(own.signing_root_material(1), "consul/ca")
    assert caught.value.where == "consul/ca"
    assert "PRIVATE" not in str(caught.value)


def test_a_leaf_in_the_issuers_place_is_refused(tmp_path: Path) -> None:
    from datetime import timedelta

    from pki.profile import Identity

    own = home(tmp_path)
    own.begin(NOW)
    chain, key = own.canary(1, Identity("shop", "web"), NOW, timedelta(hours=1))
    with pytest.raises(PkiError, match="is no CA"):
        for_secret(IssuerMaterial(chain, key), "istio-system/cacerts")
