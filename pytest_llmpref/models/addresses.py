"""Where servers of the user's own are: never looked for at a public host."""

import os

from pytest_llmpref.models.chat import ModelUnavailableError

OWN_SERVERS = {
    "hosted_vllm": ("HOSTED_VLLM_API_BASE",),
    "lm_studio": ("LM_STUDIO_API_BASE",),
    "litellm_proxy": ("LITELLM_PROXY_API_BASE",),
    # litellm has a variable of its own for xinference, and does not read it for chats.
    "xinference": ("OPENAI_API_BASE", "OPENAI_BASE_URL"),
    "custom_openai": ("OPENAI_API_BASE", "OPENAI_BASE_URL"),
    "aiohttp_openai": ("OPENAI_API_BASE", "OPENAI_BASE_URL"),
}
"""litellm's providers that stand for a user's own server -> the variables, one of which holds its address.

Without it, litellm asks api.openai.com instead. Other servers of one's own have an address on this machine (ollama,
llamafile, docker_model_runner, lemonade, langgraph), or litellm turns the call away. Read off litellm 1.106 by asking
each of its providers without an address, and noting which host it looked up.
"""


NOWHERE = "http://127.0.0.1:9/v1"
"""Address that stands for a server whose answers are all recorded: nothing is ever sent there."""

_ADDRESSED = frozenset({*OWN_SERVERS, "azure", "azure_ai", "databricks", "ollama", "ollama_chat"})


OLLAMA = ("ollama", "ollama_chat")
"""litellm's two ways to the same server."""


def conversing(name: str) -> str:
    """Return litellm's name under which a model is sent conversations.

    What litellm sends to ``ollama/NAME`` is one prompt, made by a template of its own. ``ollama_chat/NAME`` leaves the
    turns to the server, which knows the model's template.

    Examples
    --------
    >>> conversing("ollama/qwen3:8b"), conversing("openai/gpt-x")
    ('ollama_chat/qwen3:8b', 'openai/gpt-x')
    """
    return name.replace("ollama/", "ollama_chat/", 1) if name.startswith("ollama/") else name


def where_it_is(provider: str) -> str:
    """Return where litellm looks for a provider, in words."""
    if provider in OLLAMA:
        return os.environ.get("OLLAMA_API_BASE") or "Ollama at http://localhost:11434"
    return "its provider"


def to_reach(provider: str) -> str:
    """Return what to do where a provider cannot be reached."""
    if provider in OLLAMA:
        return "start Ollama (ollama serve), or set OLLAMA_API_BASE to where it runs"
    return "check that the server runs and that this machine is online"


def replayed_at(provider: str) -> str | None:
    """Return which address to give litellm in a replay; ``None`` for providers that have one of their own."""
    return NOWHERE if provider in _ADDRESSED else None


def check_address(name: str, provider: str) -> None:
    """Make sure that a model on a server of the user's own is not looked for at a public one.

    Raises
    ------
    ModelUnavailableError
        If its address is not set.
    """
    variables = OWN_SERVERS.get(provider, ())
    if variables and not any(os.environ.get(variable) for variable in variables):
        variable = variables[0]
        raise ModelUnavailableError(
            f"{name}: {provider} means a server of your own, and {variable} does not say where it is; without it, "
            f"litellm would send every question to OpenAI: set {variable}, for example to http://localhost:8000/v1"
        )
