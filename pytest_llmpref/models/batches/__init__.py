"""Questions that providers answer in batches, within a day and at about half the price."""

PROVIDERS = ("openai", "azure", "hosted_vllm", "groq", "anthropic", "gemini", "mistral", "xai")
"""Those whose batch APIs we know, by litellm's names. Here, for plans, which import no client."""
LONGEST_WAIT = 24
"""Hours within which they answer a batch, or not at all."""
