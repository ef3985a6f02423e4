"""A simulated Kubernetes API for the lab: object store, HTTP API, controllers. Nothing here runs a container.

tests/contract holds it to what real clusters do (docs/contract.md). What it leaves out, on purpose: admission webhooks
other than Istio's injection (imitated in place), CEL rules and oneOf of custom resources, the ClusterRoles that every
cluster is born with, ServiceAccount tokens in pods, CronJobs, autoscaling by load (only minReplicas and maxReplicas
count), eviction of pods from dead nodes, Events, SPDY, ``log -f``, and anything that outlives the process: state is in
memory.
"""
