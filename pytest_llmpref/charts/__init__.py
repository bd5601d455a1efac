"""Charts as Vega-Lite specifications, drawn from what results.json holds."""
