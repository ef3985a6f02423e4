"""This site's nodes for the plain pyinfra command; the facts are in site.yaml beside this file."""

from pathlib import Path

from rollout.adapters.hosts.inventory import pyinfra_hosts

nodes = pyinfra_hosts(Path(__file__).parent)
