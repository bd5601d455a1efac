"""The whole list is ranked."""
