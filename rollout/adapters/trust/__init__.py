"""One mesh's trust, seen and handed over: its proxies, their handshakes, its objects or its CA's API, the key store."""
