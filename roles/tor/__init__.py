"""The ToR's node side: one BGP neighbor per gateway node, and only the pools' host routes accepted.

Pure: :func:`roles.tor.intent.intended` says what we own, :func:`roles.tor.merge.merged` puts it into a running
config without touching anybody else's lines. How the text reaches the switch is the adapter's business.
"""
