"""Protobuf bodies say the same as JSON ones, or are refused: never half understood."""

from __future__ import annotations

import json

import pytest

from lab.kube.api.protobuf import MAGIC, decode
from lab.kube.errors import BadRequest, UnsupportedMediaType


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def text(number: int, value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def pair(field: int, key: str, value: bytes | str) -> bytes:
    return text(field, text(1, key) + text(2, value))


def envelope(version: str, kind: str, raw: bytes) -> bytes:
    return MAGIC + text(1, text(1, version) + text(2, kind)) + text(2, raw) + text(3, "") + text(4, "")


def test_a_helm_release_secret_is_read() -> None:
    meta = text(1, "sh.helm.release.v1.a.v1") + text(3, "shop") + pair(11, "owner", "helm")
    found = decode(
        envelope(
            "v1", "Secret", text(1, meta) + pair(2, "release", b"H4s\x00") + text(3, "helm.sh/release.v1")
        )
    )
    assert found == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "sh.helm.release.v1.a.v1", "namespace": "shop", "labels": {"owner": "helm"}},
        "data": {"release": "SDRzAA=="},
        "type": "helm.sh/release.v1",
    }


def test_zero_is_kept_where_it_was_meant() -> None:
    """A pointer that is set to 0 is a wish; an unset string is nothing."""
    spec = number(1, 0) + number(5, 0)
    found = decode(envelope("apps/v1", "Deployment", text(1, text(1, "d") + text(2, "")) + text(2, spec)))
    assert found["spec"] == {"replicas": 0}
    assert found["metadata"] == {"name": "d"}


def test_ports_may_be_numbers_or_names() -> None:
    by_number = number(3, 80) + text(4, number(1, 0) + number(2, 8080) + text(3, ""))
    by_name = number(3, 81) + text(4, number(1, 1) + number(2, 0) + text(3, "http"))
    found = decode(
        envelope("v1", "Service", text(1, text(1, "s")) + text(2, text(1, by_number) + text(1, by_name)))
    )
    assert found["spec"]["ports"] == [{"port": 80, "targetPort": 8080}, {"port": 81, "targetPort": "http"}]


def test_negative_numbers_and_times_survive() -> None:
    options = number(1, -1)
    eviction = text(1, text(1, "p") + text(8, number(1, 0))) + text(2, options)
    found = decode(envelope("policy/v1", "Eviction", eviction))
    assert found["deleteOptions"] == {"gracePeriodSeconds": -1}
    assert found["metadata"]["creationTimestamp"] == "1970-01-01T00:00:00Z"


def test_an_unset_time_is_no_time() -> None:
    found = decode(envelope("v1", "ConfigMap", text(1, text(1, "c") + text(8, number(1, -62135596800)))))
    assert found["metadata"] == {"name": "c"}


def test_json_inside_the_envelope_is_json() -> None:
    body = {"apiVersion": "x/v1", "kind": "Y"}
    raw = MAGIC + text(1, b"") + text(2, json.dumps(body)) + text(4, "application/json")
    assert decode(raw) == body


def test_an_unknown_kind_or_field_is_refused_so_that_the_client_may_send_json() -> None:
    with pytest.raises(UnsupportedMediaType, match="v1/Nonsense"):
        decode(envelope("v1", "Nonsense", b""))
    with pytest.raises(UnsupportedMediaType, match="field 99 of v1/Secret"):
        decode(envelope("v1", "Secret", text(99, "x")))


@pytest.mark.parametrize("body", [b"", b"{}", MAGIC + b"\x0a\xff", MAGIC + b"\x0b"])
def test_broken_bytes_are_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        decode(body)
