"""What runs on each lab node: a kubelet, a kube-proxy and a MetalLB speaker, driving real Envoy, nftables and FRR.

The decisions are pure functions (``facts``, ``nat``, ``announcer``, ``podspec``, ``phases``, ``frr``); the
processes and sockets live at the edge (``process``, ``kubelet``, ``proxy``, ``speaker``), and ``agents``
ties one set of them to each node of the site. What is imitated is labelled ``simulated`` where it shows.
"""
