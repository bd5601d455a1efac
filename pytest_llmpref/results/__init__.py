"""results.json: what a run writes, and what later runs read."""
