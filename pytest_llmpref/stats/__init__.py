"""Statistics of comparisons and measures; numpy and scipy only."""
