# rackroll: `make demo` shows what it does, `make test` proves it. `make help` lists the rest.
.PHONY: help demo demo-real test e2e bench bench-real chaos crash drills lint lab-up lab-down helm clean venv lab-tools tools contract vagrant-tests vagrant-lab

PYTHON ?= python3
SITE ?= inventory/lab
ARGS ?=
E2E_TOOLS = kube-1.35 etcd kwok metallb metallb-0.15 istio-1.30 istio-1.31 istiod-1.31 consul helm-4 helm-3 gobgp
export PYTHON

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

demo-real: lab-tools ## the same demo on upstream's Kubernetes and MetalLB, built once in some minutes
	@.venv/bin/python scripts/get-tools.py kube-1.35 etcd metallb
	@.venv/bin/rackroll demo --real $(ARGS)

demo: lab-tools ## bare racks to serving traffic, then a mesh upgrade that loses no request (ARGS="-o json")
	@.venv/bin/rackroll demo $(ARGS)

test: lab-tools ## every tier but real Kubernetes: unit, plans, contract, lab
	@scripts/run-tests $(ARGS)

e2e: lab-tools ## upstream's own programs: contract, 1,000 KWOK nodes, charts, signers, MetalLB in the lab (ARGS=tests/e2e/charts)
	@.venv/bin/python scripts/get-tools.py $(filter-out $(RACKROLL_LEFT_OUT),$(E2E_TOOLS))
	@scripts/run-e2e $(ARGS)

vagrant-tests: lab-tools ## what only virtual machines prove: reboots, conntrack, clocks, BFD (vagrant, libvirt, qemu; no KVM needed)
	@scripts/run-vm-tests $(ARGS)

vagrant-lab: lab-tools ## from nothing to a bringup and a rotation drill on virtual machines, with its log (MESH=istio, ARGS=--no-naive)
	@scripts/vagrant-lab $(ARGS)

lint: venv ## ruff, mypy strict, import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

lab-up: lab-tools ## start the embedded lab of SITE (inventory/lab)
	@.venv/bin/rackroll lab up -i $(SITE)

lab-down: venv ## stop it and leave nothing behind
	@.venv/bin/rackroll lab down -i $(SITE)

helm: venv ## find Helm, or build it into ~/.cache/rackroll
	@scripts/get-helm

tools: venv ## build upstream's Kubernetes, etcd, KWOK, MetalLB ... from Go modules (ARGS="kube-1.35 etcd" for some)
	@.venv/bin/python scripts/get-tools.py $(ARGS)

contract: venv ## the contract suite on the simulated API and on each Kubernetes that `make tools` built: docs/contract.md
	@.venv/bin/python -m tests.contract.table

venv:
	@scripts/bootstrap

# .venv and what the lab needs beyond Python.
lab-tools:
	@scripts/lab-tools

clean: ## stop the lab, remove .venv, caches and build products (never ~/.cache/rackroll)
	@scripts/clean

bench: venv ## how long and how much memory 1,000 and 10,000 nodes take (ARGS=--write for docs/benchmarks.md)
	@.venv/bin/python -m bench $(ARGS)

bench-real: venv ## our drain beside kubectl's on 1,000 real (KWOK) nodes (needs `make tools`; ARGS="--rolled 20 --write")
	@.venv/bin/python -m bench.real $(ARGS)

crash: lab-tools ## kill -9 at every journal boundary of an upgrade on the lab, and count (ARGS=--once is the short form)
	@.venv/bin/python -m tests.crash $(ARGS)

drills: lab-tools ## a root rotated under handshakes: each mesh three times, then with every fault (an hour; ARGS="--only istio/crash", --write)
	@.venv/bin/python -m tests.drills $(ARGS)

chaos: venv ## a hundred simulated upgrades, one failure each: the table of what came of them (ARGS="RUNS FIRST_SEED")
	@.venv/bin/python -m tests.chaos $(ARGS)

properties: venv ## thousands of random fleets and targets: each plan verified, each refusal checked by an oracle
	@RACKROLL_PROPERTIES=long .venv/bin/python -m pytest -q tests/properties --timeout 3600 $(ARGS)
