"""The network between lab hosts: cables, real FRR on ToRs and spine, imitated resilient hashing."""
