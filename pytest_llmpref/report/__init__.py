"""What is shown and written: results.json and its schema, the terminal, the progress of asking."""
