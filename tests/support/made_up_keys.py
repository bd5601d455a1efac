"""Made-up keys of every provider."""

HEX = "0123456789abcdef0123456789abcdef"
LONG = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6kL9n"
KEYS = {
    "openai": f"sk-proj-{LONG}",
    "openai-service": f"sk-svcacct-{LONG}",
    "anthropic": f"sk-ant-api03-{LONG}-{LONG}AA",
    "openrouter": f"sk-or-v1-{HEX}{HEX}",
    "deepseek": f"sk-{HEX}",
    "gemini": "AIza" + LONG[:35],
    "gemini-new": "AQ.Ab8" + LONG,
    "vertex": f"ya29.a0{LONG}",
    "vertex-client": f"GOCSPX-{LONG[:28]}",
    "groq": f"gsk_{LONG}",
    "huggingface": f"hf_{LONG[:34]}",
    "xai": f"xai-{LONG}{LONG}",
    "perplexity": f"pplx-{LONG}",
    "replicate": f"r8_{LONG[:37]}",
    "fireworks": f"fw_{LONG[:24]}",
    "cerebras": f"csk-{LONG}",
    "nvidia": f"nvapi-{LONG}_{LONG[:23]}",
    "together": f"tgp_v1_{LONG}",
    "databricks": f"dapi{HEX}-3",
    "anyscale": f"esecret_{LONG[:26]}",
    "friendli": f"flp_{LONG}",
    "voyage": f"pa-{LONG}a1",
    "jina": f"jina_{LONG}",
    "upstage": f"up_{LONG[:30]}",
    "featherless": f"rc_{HEX}{HEX}",
    "novita": f"sk_{LONG}",
    "azure": LONG + LONG[:12] + "JQQJ99" + LONG[:26],
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "bedrock": f"ABSKQmVkcm9ja0FQSUtleS{LONG}=",
    "dashscope": f"LTAI5t{LONG[:18]}",
    "github-models": f"ghp_{LONG[:36]}",
    "hyperbolic": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLTAx",
}
"""Made-up keys in the shapes of providers' own."""
SHAPELESS = "Cohere00keys11have22no33shape44at55all66"
