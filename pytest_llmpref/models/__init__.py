"""Models: anything that answers a Request with a Reply. Nothing here knows cassettes."""
