"""Experiments plan trials, ask them, and read the replies; they know the ChatModel protocol, never a provider."""
