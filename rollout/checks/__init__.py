"""Checks with stable ids. A gate is a check chosen by name, so a check run and a rollout cannot disagree."""
