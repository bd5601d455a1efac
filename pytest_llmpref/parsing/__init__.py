"""From a reply's text to an outcome."""
