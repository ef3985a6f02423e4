"""Carries out plans: observes first, asks the gates inside each attempt, writes down what happened."""
