"""What a user decides: entities, items, profiles, policies and settings."""
