"""How long and how many requests rolling real nodes takes, beside kubectl on the same cluster."""
