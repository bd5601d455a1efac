"""Data that others paid for: choices and replies of models that this tool never asked, kept as trials of a study."""
