"""A mesh's ``pki`` section: its schema, its way into the model."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from rollout.model import pki as model
from rollout.site.places import resolved
from rollout.site.scalars import Text, refusal, shown
from rollout.site.section import Section

_LIFETIME = re.compile(r"([1-9][0-9]{0,4})(m|h|d)\Z")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=36500)


def _lifetime(value: Any) -> timedelta:
    found = _LIFETIME.match(value) if isinstance(value, str) else None
    life = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
    if life is None or not timedelta(minutes=1) <= life <= _LONGEST:
        raise refusal(f"is {shown(value)}", "a lifetime such as 24h or 365d, at most 36500d")
    return life


def _spelled(life: timedelta) -> str:
    for unit, name in (("d", "days"), ("h", "hours")):
        if life % timedelta(**{name: 1}) == timedelta(0):
            return f"{life // timedelta(**{name: 1})}{unit}"
    return f"{life // timedelta(minutes=1)}m"


Lifetime = Annotated[
    timedelta,
    PlainValidator(_lifetime),
    PlainSerializer(_spelled, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,4}(m|h|d)$"}),
]


class TokenSection(Section):
    module: Text
    token: Text
    pin_file: Text


class KeysSection(Section):
    """Without ``passphraseFile`` the passphrase is RACKROLL_PKI_PASSPHRASE's; it is never in the site file."""

    passphrase_file: Text | None = None
    pkcs11: TokenSection | None = None


class PkiSection(Section):
    """``owner`` is required: a certificate that runs out at night has to be somebody's."""

    owner: Text
    folder: Text
    keys: KeysSection = KeysSection()
    anchor_lifetime: Lifetime | None = None
    issuer_lifetime: Lifetime | None = None
    leaf_lifetime: Lifetime | None = None
    corporate: Text | None = None


def to_pki(section: PkiSection | None, folder: Path) -> model.MeshPki | None:
    if section is None:
        return None
    keys = section.keys
    return model.MeshPki(
        owner=section.owner,
        folder=resolved(section.folder, folder),
        passphrase_file=resolved(keys.passphrase_file, folder) if keys.passphrase_file else None,
        token=_token(keys.pkcs11, folder) if keys.pkcs11 else None,
        anchor_lifetime=section.anchor_lifetime,
        issuer_lifetime=section.issuer_lifetime,
        leaf_lifetime=section.leaf_lifetime,
        corporate=resolved(section.corporate, folder) if section.corporate else None,
    )


def _token(section: TokenSection, folder: Path) -> model.Pkcs11Token:
    return model.Pkcs11Token(
        resolved(section.module, folder), section.token, resolved(section.pin_file, folder)
    )
