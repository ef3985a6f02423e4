"""Decoding of Kubernetes' protobuf request bodies: the ``k8s\\0`` envelope and the messages inside.

Answers are always JSON, which every client accepts; only what clients *send* must be understood.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from lab.kube.api.protobuf_types import MESSAGES, Field, Message
from lab.kube.errors import BadRequest, UnsupportedMediaType
from lab.kube.objects import Obj, micro_timestamp, timestamp

MAGIC = b"k8s\x00"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"


def decode(body: bytes) -> Obj:
    """A ``runtime.Unknown`` envelope as the object that JSON would have carried.

    Raises BadRequest for bytes that are no envelope, UnsupportedMediaType for a message not known here.
    """
    if not body.startswith(MAGIC):
        raise BadRequest("not a Kubernetes protobuf body: the k8s magic is missing")
    envelope = dict(wire(body[len(MAGIC) :]))
    meta = dict(wire(_bytes(envelope.get(1, b""))))
    api_version, kind = _bytes(meta.get(1, b"")).decode(), _bytes(meta.get(2, b"")).decode()
    raw = _bytes(envelope.get(2, b""))
    if envelope.get(4, b"") == b"application/json":
        parsed: Obj = json.loads(raw)
        return parsed
    name = kind if kind == "DeleteOptions" else f"{api_version}/{kind}"
    return {"apiVersion": api_version, "kind": kind, **_message(_known(name), name, raw)}


def _known(name: str) -> Message:
    found = MESSAGES.get(name)
    if found is None:
        raise UnsupportedMediaType(
            f"the body of the request was protobuf of {name}, which is not decoded here: send JSON"
        )
    return found


def wire(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) pairs; varints as int, everything with a length as bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
        elif kind == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise BadRequest("truncated protobuf body")
            yield number, data[at : at + size]
            at += size
        else:
            raise BadRequest(f"unexpected protobuf wire type {kind}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise BadRequest("truncated protobuf body")


def _message(message: Message, name: str, data: bytes) -> Obj:
    found: Obj = {}
    for number, raw in wire(data):
        field = message.get(number)
        if field is None:
            raise UnsupportedMediaType(f"protobuf field {number} of {name} is not decoded here: send JSON")
        if field.type == "skip":
            continue
        if field.mapped:
            pair = dict(wire(_bytes(raw)))
            key = _bytes(pair.get(1, b"")).decode()
            found.setdefault(field.name, {})[key] = _value(field, pair.get(2, b""))
        elif field.repeated:
            found.setdefault(field.name, []).append(_value(field, raw))
        else:
            _keep(found, field, _value(field, raw))
    return found


def _keep(found: Obj, field: Field, value: Any) -> None:
    explicit = field.pointer or field.type == "intorstring"
    if value is not None and (explicit or value not in ("", 0, False, {})):
        found[field.name] = value


def _value(field: Field, raw: int | bytes) -> Any:
    match field.type:
        case "int":
            return _signed(raw)
        case "bool":
            return bool(raw)
        case "string":
            return _bytes(raw).decode()
        case "bytes":
            return base64.b64encode(_bytes(raw)).decode()
        case "time" | "microtime":
            return _time(_bytes(raw), micro=field.type == "microtime")
        case "raw":
            return json.loads(_bytes(dict(wire(_bytes(raw))).get(1, b"{}")))
        case "quantity":
            return _bytes(dict(wire(_bytes(raw))).get(1, b"")).decode()
        case "intorstring":
            parts = dict(wire(_bytes(raw)))
            return _bytes(parts.get(3, b"")).decode() if parts.get(1) else _signed(parts.get(2, 0))
        case name:
            return _message(_known(name), name, _bytes(raw))


def _time(data: bytes, *, micro: bool) -> str | None:
    parts = dict(wire(data))
    if 1 not in parts:
        return None
    nanos = _signed(parts.get(2, 0))
    moment = datetime.fromtimestamp(_signed(parts[1]) + nanos / 1e9, UTC)
    if moment.year <= 1:
        return None
    return micro_timestamp(moment) if micro else timestamp(moment)


def _signed(raw: int | bytes) -> int:
    if isinstance(raw, bytes):
        if raw:
            raise BadRequest("protobuf: expected a number")
        return 0
    return raw - (1 << 64) if raw >= 1 << 63 else raw


def _bytes(raw: int | bytes) -> bytes:
    if isinstance(raw, int):
        raise BadRequest("protobuf: expected a length-delimited field")
    return raw
