"""The two gRPC calls that proxies make, with their messages said by hand: four fields do not need generated code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import grpc

from lab.kube.api.protobuf import wire
from lab.signers.signer import SignerRefused

_WITHIN = 10.0  # seconds, for one call
_BYTES = 2
"""Protobuf's wire type of everything that has a length."""


def field(number: int, content: bytes | str) -> bytes:
    """One string, bytes or message of a protobuf message."""
    raw = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | _BYTES) + _varint(len(raw)) + raw


def number_field(number: int, value: int) -> bytes:
    """One int64 that is not negative."""
    return _varint(number << 3) + _varint(value)


def texts(message: bytes, number: int) -> list[bytes]:
    """Every value of a field that has a length, in its order."""
    return [value for at, value in wire(message) if at == number and isinstance(value, bytes)]


def call(
    channel: grpc.Channel, method: str, message: bytes, metadata: Mapping[str, str], where: str
) -> bytes:
    """Raises :class:`SignerRefused` with the status that came back; a token in ``metadata`` is not repeated."""
    ask = channel.unary_unary(method, request_serializer=None, response_deserializer=None)
    try:
        answer: bytes = ask(message, timeout=_WITHIN, metadata=tuple(metadata.items()))
    except grpc.RpcError as error:
        code, details = error.code(), error.details()
        raise SignerRefused(
            f"{method.rpartition('/')[2]}: {code.name}: {details}",
            where=where,
            hint="UNAVAILABLE: is it running, and does its certificate lead to a root that is believed? "
            "Anything else is in its log",
        ) from None
    return answer


def plain(address: str) -> grpc.Channel:
    return grpc.insecure_channel(address, options=_ALONE)


def secured(address: str, roots_pem: str, name: str) -> grpc.Channel:
    """TLS to ``address``, whose certificate must be for ``name`` and lead to one of the roots."""
    options: Sequence[tuple[str, str | int]] = [*_ALONE, ("grpc.ssl_target_name_override", name)]
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(roots_pem.encode()), options=options)


_ALONE: Sequence[tuple[str, str | int]] = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
"""No connection of an earlier channel is used again: it would have been checked with that one's roots."""


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
