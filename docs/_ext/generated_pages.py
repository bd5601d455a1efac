"""Write the parts of the reference that the code knows: options, fixtures, command line, hooks, Python interface.

Pages include them from `docs/reference/_generated`. They are written before Sphinx reads any page, and never committed.
"""

import argparse
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from types import GenericAlias

from sphinx.pycode import ModuleAnalyzer

import pytest_llmpref
from pytest_llmpref import cli
from pytest_llmpref.config.options import OPTIONS, RECORD_MODE
from pytest_llmpref.experiments.registry import SHIPPED
from pytest_llmpref.models.prefill import lead_for
from pytest_llmpref.models.reasoning import REASONING_ALLOWANCE, reasons
from pytest_llmpref.plugin import fixtures, hookspecs

SECTIONS = {
    "notebooks": "Studies without pytest",
    "stats": "Statistics",
    "claims": "Estimates, claims and verdicts",
    "experiments": "Experiments, behaviours and measures",
    "comparison": "Comparing releases",
    "parsing": "Reading replies",
    "models": "Models",
    "config": "Entities, questions and profiles",
    "charts": "Charts",
    "errors": "Errors",
}
"""Package in which a public name lives -> its section, in the order of the page."""
FILTERED = "`finish` content_filter"
REFUSALS = {
    "openai/gpt-4o": f"the `refusal` field, {FILTERED}",
    "openai/gpt-5-mini": f"the `refusal` field, {FILTERED}",
    "azure/my-deployment": f"the `refusal` field, {FILTERED}, error 400 of the content filter",
    "anthropic/claude-sonnet-4-5": "`stop_reason` refusal",
    "anthropic/claude-opus-4-8": "`stop_reason` refusal",
    "gemini/gemini-2.5-flash": "SAFETY, PROHIBITED_CONTENT, BLOCKLIST, SPII; not RECITATION, LANGUAGE, OTHER",
    "bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0": FILTERED,
    "mistral/mistral-large-latest": FILTERED,
    "deepseek/deepseek-chat": "error Content Exists Risk",
    "deepseek/deepseek-reasoner": "error Content Exists Risk",
    "xai/grok-4": "error 403 of the content check",
    "dashscope/qwen-max": "error data_inspection_failed",
    "groq/llama-3.3-70b-versatile": FILTERED,
    "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo": FILTERED,
    "openrouter/deepseek/deepseek-r1": "PROHIBITED_CONTENT, whatever the status",
    "moonshot/kimi-k2-thinking": FILTERED,
    "hosted_vllm/my-model": "none of its own",
    "ollama_chat/qwen3:8b": "none of its own",
    "local/smollm2-135m": "none of its own",
}
"""A model of each provider -> what counts as a refusal, beside what its replies say."""


def setup(app: object) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("config-inited", lambda app, _config: write(Path(app.srcdir, "reference/_generated")))  # type: ignore[attr-defined]
    return {"parallel_read_safe": True}


def write(folder: Path) -> None:
    """Write every part whose text changed, so that Sphinx reads again only what is new."""
    folder.mkdir(exist_ok=True)
    parts = {"options": options(), "fixtures": fixtures_table(), "cli": commands(), "hooks": hooks()}
    for name, text in (parts | {"python": python(), "providers": providers()}).items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def options() -> str:
    """Return pytest's options, each with what it does, its values, its default and its key in an ini file."""
    parts = []
    for option in (*OPTIONS[:2], RECORD_MODE, *OPTIONS[2:]):
        values = f" One of {', '.join(f'`{choice}`' for choice in option.choices)}." if option.choices else ""
        default = f" Default: `{option.default}`." if option.default else ""
        parts.append(f"`{option.flag}`\n: {option.help}.{values}{default} In an ini file: `{option.ini}`.")
    return "\n\n".join(parts)


def fixtures_table() -> str:
    """Return the fixtures of the shipped behaviours, and those that every test may use, as two tables."""
    rows = ["| fixture | measure | what it is |", "|---|---|---|"]
    rows += [f"| `{one.fixture}` | `{one.measure}` | {_summary(type(one))} |" for one in SHIPPED if one.fixture]
    rows += ["", "| fixture | what it is |", "|---|---|"]
    for name, found in vars(fixtures).items():
        if type(found).__name__ == "FixtureFunctionDefinition":
            rows.append(f"| `{name}` | {_summary(found)} |")
    return "\n".join(rows)


def commands() -> str:
    """Return the help of `llmpref` and of each of its commands."""
    os.environ["COLUMNS"] = "80"
    return "\n\n".join(_help(cli._parser()))  # noqa: SLF001 - no command prints all


def _help(parser: argparse.ArgumentParser) -> Iterator[str]:
    children = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    if parser.prog != "llmpref":
        yield f"## {parser.prog}\n\n```text\n{parser.format_help().strip()}\n```"
    for action in children:
        for child in action.choices.values():
            yield from _help(child)


def hooks() -> str:
    """Return the hooks that other packages implement."""
    names = [name for name in vars(hookspecs) if name.startswith("pytest_llmpref_")]
    return _autodoc([f".. autofunction:: pytest_llmpref.plugin.hookspecs.{name}" for name in names])


def providers() -> str:
    """Return what a model of each provider is sent, by the code that sends it."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    rows = [
        "| model | temperature | top log-probabilities | led by | room to reason | counts as a refusal | tried |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join(rows + [_provider(name, refusals) for name, refusals in REFUSALS.items()])


def _provider(name: str, refusals: str) -> str:
    from pytest_llmpref.models.litellm_client import limits_of  # noqa: PLC0415 - litellm takes seconds to import

    here = name.startswith("local/")
    limits = limits_of("openai/gpt-4o" if here else name, None)
    heat = "any" if limits.takes_temperature(0.7) else "1 only" if limits.takes_temperature(1.0) else "none"
    room = {"yes": f"{REASONING_ALLOWANCE:,} tokens", "no": "-", "unknown": "when a reply shows it"}[reasons(name)]
    tried = "run here" if here else "imitated"
    top = limits.most_top_logprobs or "-"
    return f"| `{name}` | {heat} | {top} | {lead_for(name).prefill} | {room} | {refusals} | {tried} |"


def python() -> str:
    """Return everything public, by section: a table of it all, then each name with its docstring."""
    parts = []
    for package, title in SECTIONS.items():
        names = [name for name, home in pytest_llmpref._HOMES.items() if home.split(".")[0] == package]  # noqa: SLF001
        rows = [f"   ~pytest_llmpref.{name}" for name in names if name != "Replies"]
        summary = [".. autosummary::", "   :nosignatures:", "", *rows]
        parts += [f"## {title}", _autodoc(["\n".join(summary)] + [_directive(name) for name in names])]
    homes = {home.split(".")[0] for home in pytest_llmpref._HOMES.values()}  # noqa: SLF001
    if unknown := homes - SECTIONS.keys():
        raise ValueError(f"docs/_ext/generated_pages.py: SECTIONS has no title for {', '.join(sorted(unknown))}")
    return "\n\n".join(parts)


def _directive(name: str) -> str:
    found = getattr(pytest_llmpref, name)
    if isinstance(found, GenericAlias):  # whose own docstring is that of the class, such as tuple
        docs = ModuleAnalyzer.for_module(f"pytest_llmpref.{pytest_llmpref._HOMES[name]}").find_attr_docs()  # noqa: SLF001
        said = "\n".join(f"   {line}" for line in docs["", name])
        return f".. py:data:: pytest_llmpref.{name}\n   :value: {found}\n\n{said}"
    if inspect.isclass(found):
        return f".. autoclass:: pytest_llmpref.{name}\n   :members:"
    return f".. autofunction:: pytest_llmpref.{name}" if callable(found) else f".. autodata:: pytest_llmpref.{name}"


def _autodoc(directives: list[str]) -> str:
    return "```{eval-rst}\n" + "\n\n".join(directives) + "\n```"


def _summary(found: object) -> str:
    return (inspect.getdoc(found) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
