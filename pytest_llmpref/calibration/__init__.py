"""Simulated studies with planted truths, by the thousand: how often verdicts are right, by kind of claim."""
