"""Two entities are shown, and one is asked for: preference and advice."""
