"""``python -m lab.mesh.signer istio|linkerd|consul``: one signer's process in its pod. SIMULATED; its TLS is real.

It believes what a proxy says about its own name: tokens are not checked, so anybody in the lab's network gets a leaf.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping

from lab.mesh import signer_consul, signer_istio, signer_linkerd
from lab.mesh.certificates import Refused
from lab.mesh.surroundings import Settings, settings

_log = logging.getLogger(__name__)
SIGNERS: Mapping[str, Callable[[Settings], None]] = {
    "istio": signer_istio.serve,
    "linkerd": signer_linkerd.serve,
    "consul": signer_consul.serve,
}


def main() -> int:
    """Ends with 1 when what it is to sign with is not sound: the kubelet starts it again, as it would upstream's."""
    given = settings(os.environ)
    try:
        SIGNERS[given.mesh](given)
    except Refused as refused:
        _log.error("cannot start: %s", refused)
        return 1
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    sys.exit(main())
