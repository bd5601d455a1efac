"""Simulated models: their preferences are planted by a TOML file, and they answer in words like any model.

They see nothing but the conversation. What they say depends on their world and on what was said, on nothing else: not
on the order of the questions, nor on the clock.
"""
