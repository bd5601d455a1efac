"""Texts about one entity, scored."""
