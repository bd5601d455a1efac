"""Registers the options with pytest: their long names always, the short ones where no other plugin has them."""

from argparse import Namespace
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmpref.config.options import OPTIONS, RECORD_MODE, SHORT, Option

if TYPE_CHECKING:
    import pytest

_METAVARS = {
    "llmpref_model": "NAME",
    "llmpref_profile": "PROFILE",
    "llmpref_report_dir": "FOLDER",
    "llmpref_baseline": "RESULTS.JSON",
    "llmpref_entities": "FILE|NAME",
    "llmpref_boolq": "FILE|dev",
    "llmpref_cassettes": "FOLDER",
    "llmpref_judge": "NAME",
    "llmpref_labels": "FILE",
    "llmpref_paired_prompts": "FILE",
    "llmpref_to_label": "FILE",
    "llmpref_agentic": "SUITE",
    "llmpref_arms": "IDS:IDS",
    "llmpref_timeout": "SECONDS",
    "llmpref_max_wait": "SECONDS",
    "llmpref_max_outage": "SECONDS",
    "llmpref_shard": "NUMBER/COUNT",
    "llmpref_rate": "CALLS",
    "llmpref_max_cost": "DOLLARS",
    "llmpref_max_tokens": "TOKENS",
    "llmpref_price": "IN/OUT",
    "llmpref_policy": "FILE",
    "llmpref_alpha": "RATE",
    "llmpref_param": "KEY=VALUE",
    "llmpref_system": "FILE",
    "llmpref_api_base": "NAME=URL",
    "llmpref_header": "NAME=VARIABLE",
    "llmpref_models_file": "FILE",
}
"""What help calls an option's value; the choices where there are any, else N, unless it stands here."""


def add_options(parser: "pytest.Parser") -> None:
    """Register every option by its long name, which no other plugin has, and the ini keys."""
    for option in (*OPTIONS, RECORD_MODE):
        _add(parser, option, option.long, _help(option))
        if option.many:
            parser.addini(option.ini, _help(option, of_ini=True), type="args", default=None)
        else:
            parser.addini(option.ini, _help(option, of_ini=True), default=None)


def add_short_names(parser: "pytest.Parser", config: "pytest.Config") -> None:
    """Register ``--model`` and the other short names that no plugin and no initial conftest.py has taken.

    Called when all of these are loaded: a name that is registered twice would end every run.
    """
    free = free_names(parser)
    # In the options, so that xdist's workers and every message know it too.
    config.option.llmpref_taken = [option.flag for option in SHORT if option not in free]
    for option in free:
        _add(parser, option, option.flag, f"Short for {option.long}")


def free_names(parser: "pytest.Parser") -> list[Option]:
    """Return the options whose short name nobody has registered."""
    return [option for option in SHORT if _is_free(parser, option.flag)]


def release_short_names(config: "pytest.Config") -> None:
    """Let a conftest.py that pytest loads later register these names too, as it could without us.

    The command line is read by then. pytest from version 9 on would refuse the second registration.
    """
    parser = getattr(getattr(config, "_parser", None), "optparser", None)
    registered = getattr(parser, "_option_string_actions", {})
    for option in SHORT:
        if option.flag not in getattr(config.option, "llmpref_taken", ()):
            registered.pop(option.flag, None)


def drop_values(known: Namespace, args: Sequence[str], free: Sequence[Option]) -> None:
    """Take the values of short names, which are not registered yet, out of the paths of tests.

    Parameters
    ----------
    known
        What pytest read of the command line so far. It took ``NAME`` of ``--model NAME`` for a path, and would look for
        initial conftests there instead of in ``testpaths``.
    args
        The command line.
    free
        The options whose short name may be ours. A project's conftest.py may still give the name another meaning, such
        as a flag before the path of a test; so what looks like one stays.
    """
    ours = {option.flag: option for option in free}
    for flag, value in pairwise(args):
        if flag == "--":
            break
        if flag in ours and value in known.file_or_dir and not _may_be_tests(value, ours[flag]):
            known.file_or_dir.remove(value)


def _may_be_tests(value: str, option: Option) -> bool:
    if "::" in value or value.endswith(".py"):
        return True
    return option.ini != "llmpref_report_dir" and Path(value).is_dir()


def _add(parser: "pytest.Parser", option: Option, flag: str, says: str) -> None:
    group = parser.getgroup("llmpref", "llmpref: behavioural tests of language models")
    group.addoption(flag, dest=option.dest, default=None, help=says, **_taken(option))


def _is_free(parser: "pytest.Parser", flag: str) -> bool:
    from pytest import UsageError  # noqa: PLC0415, PT013 - as below

    given = f"{flag}=anything"
    try:
        return given in parser.parse_known_and_unknown_args([given], Namespace())[1]
    except UsageError:
        # It is known, and takes no value, or not this one.
        return False


def _taken(option: Option) -> dict[str, str]:
    """Return how argparse takes the option's values, and what help calls them."""
    if option.kind is bool:
        return {"action": "store_const", "const": "true"}
    return {"action": "append" if option.many else "store", "metavar": _metavar(option)}


def _metavar(option: Option) -> str:
    # argparse would make LLMPREF_LLMPREF_ENTITIES of the destination.
    return _METAVARS.get(option.ini) or ("{" + ",".join(option.choices) + "}" if option.choices else "N")


def _help(option: Option, *, of_ini: bool = False) -> str:
    """Return the help; of an ini key with the choices, which a flag's metavar shows."""
    notes = [f"one of {', '.join(option.choices)}"] if option.choices and of_ini else []
    notes += [f"default: {option.default}"] if option.default and option.default != "inf" else []
    return f"{option.help} ({'; '.join(notes)})" if notes else option.help
