"""Fresh TCP connections to one VIP, counted. Runs here, or on the outside host as ``python3 -I -S -c``.

Standard library only and nothing of ours, because its source text is what is sent; for any Python from 3.8.
Arguments come as JSON on standard input, so that no word of a site file ever meets a shell.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

AT_ONCE = 8
"""Samples in flight: a dead VIP then costs a few timeouts, not one after the other."""


def fetch(asked: dict[str, Any]) -> dict[str, Any]:
    """``asked``: host, port, path, host_header, samples, timeout and budget (seconds).

    No sample is started after ``budget`` seconds; ``tried`` counts those that were.
    """
    until = time.monotonic() + asked["budget"]
    with ThreadPoolExecutor(min(AT_ONCE, asked["samples"])) as pool:
        answers = list(pool.map(lambda _: sample(asked, until), range(asked["samples"])))
    words = [answer for answer in answers if answer is not None]
    failures = {word: words.count(word) for word in sorted(set(words)) if word != "ok"}
    return {"tried": len(words), "ok": words.count("ok"), "failures": failures}


def sample(asked: dict[str, Any], until: float) -> str | None:
    """``ok``, the way it failed in one word, or None if there was no time left to try."""
    if time.monotonic() >= until:
        return None
    connection = http.client.HTTPConnection(asked["host"], asked["port"], timeout=asked["timeout"])
    try:
        connection.request(
            "GET", asked["path"], headers={"Host": asked["host_header"], "Connection": "close"}
        )
        answer = connection.getresponse()
        answer.read()
        return "ok" if 200 <= answer.status < 400 else f"HTTP {answer.status}"
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return error.strerror or type(error).__name__
    except http.client.HTTPException as error:
        return type(error).__name__
    finally:
        connection.close()


def leaf(asked: dict[str, Any]) -> dict[str, Any]:
    """The certificate that the far end shows, as base64 of its DER form; never verified, for it is only looked at.

    ``asked``: host, port, name (what the client asks for, by SNI) and timeout. Without TLS, ``why`` says so.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        plain = socket.create_connection((asked["host"], asked["port"]), asked["timeout"])
        with plain, context.wrap_socket(plain, server_hostname=asked["name"]) as secure:
            found = secure.getpeercert(binary_form=True) or b""
        return {"der": base64.b64encode(found).decode(), "why": ""}
    except ssl.SSLError as error:
        return {"der": "", "why": f"speaks no TLS: {error.reason or type(error).__name__}"}
    except OSError as error:
        return {"der": "", "why": error.strerror or type(error).__name__}


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    return leaf(asked) if asked.get("want") == "leaf" else fetch(asked)


if __name__ == "__main__":
    print(json.dumps(answer(json.load(sys.stdin))))
