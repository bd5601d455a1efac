"""How often a model declines to advise."""
