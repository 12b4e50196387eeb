"""Sweeps of a user's own function, tuning inside a budget, and results as tables."""
