"""The rotation of a trust anchor as values: what was seen, where that puts us, and what still forbids the next move."""
