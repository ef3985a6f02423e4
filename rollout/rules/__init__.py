"""Skew, jump, support and drain facts as data with provenance, and a small evaluator."""
