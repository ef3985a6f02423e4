"""The lab's meshes for the rotation drill: SIMULATED signers and proxies, REAL TLS 1.3 between real nodes.

What is simulated is who decides: istiod, Linkerd's identity controller and Consul's servers are small programs that
behave, for trust alone, as upstream's do. What they sign is X.509, and what the pairs do with it is OpenSSL's TLS over
the lab's network, so a verifier that lacks a root refuses a peer here exactly when it would there.
"""
