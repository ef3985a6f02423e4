"""Fleets of any size, and how long and how much memory it takes to plan them."""
