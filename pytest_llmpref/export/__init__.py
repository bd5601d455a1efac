"""Results for the tools in which others analyse: tables, and Inspect's logs."""
