"""One request to a Consul server, made on a node of its cluster. Sent there as ``python3 -I -S -c``.

Standard library only and nothing of ours, because its source text is what is sent. What to ask comes as JSON on
standard input: a new root's key may be in it, and goes nowhere else.
"""

from __future__ import annotations

import http.client
import json
import sys
from typing import Any


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """``asked``: host, port, method, path, body (or null), token, timeout. ``status`` 0 says that nobody answered."""
    connection = http.client.HTTPConnection(asked["host"], asked["port"], timeout=asked["timeout"])
    headers = {"X-Consul-Token": asked["token"]} if asked["token"] else {}
    body = None if asked["body"] is None else json.dumps(asked["body"])
    try:
        connection.request(asked["method"], asked["path"], body=body, headers=headers)
        response = connection.getresponse()
        return {"status": response.status, "body": response.read().decode(errors="replace")}
    except (OSError, http.client.HTTPException) as error:
        return {"status": 0, "body": str(error) or type(error).__name__}
    finally:
        connection.close()


if __name__ == "__main__":
    print(json.dumps(answer(json.load(sys.stdin))))
