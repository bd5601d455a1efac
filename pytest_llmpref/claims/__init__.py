"""Estimates, intervals, claims and verdicts: what is computed, and what is said of it."""
