"""Agents: does a model try less hard for an entity that it dislikes? The one place that knows inspect-ai."""
