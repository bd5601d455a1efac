"""Tasks that agents solve, for the sake of an entity."""
