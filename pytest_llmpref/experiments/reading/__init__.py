"""Yes/no questions about passages, whose right answers help an entity."""
