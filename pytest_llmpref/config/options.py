"""Command line and ini keys, declared once; both end in one frozen Settings."""

import math
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pytest_llmpref.config.configuration_files import configuration_in
from pytest_llmpref.config.profiles import Shard, parse_shard
from pytest_llmpref.files import LinkedFolderError, refuse_links_below

if TYPE_CHECKING:
    import pytest

RecordMode = Literal["none", "new_episodes", "all"]
Replay = Literal["reply", "wire"]
Control = Literal["none", "permuted-entities", "fictitious-entities"]


@dataclass(frozen=True, slots=True)
class Option:
    """One setting: its flag, its ini key, its default and what it does."""

    flag: str
    ini: str
    default: str
    help: str
    kind: Callable[[str], Any] = str
    choices: tuple[str, ...] = ()
    many: bool = False
    least: float = -math.inf
    most: float = math.inf

    @property
    def dest(self) -> str:
        """Where argparse puts the value; apart from any other plugin's."""
        return f"llmpref_{self.ini}"

    @property
    def long(self) -> str:
        """The flag that no other plugin has; the same as ``flag`` for most options."""
        return self.flag if self.flag.startswith("--llmpref-") else f"--llmpref-{self.flag.removeprefix('--')}"


WHERE_FILES_START = "; a relative path starts where pytest was called, one in the ini file at its folder"
WHERE_FOLDERS_START = "; a relative path starts at the ini file's folder, else where pytest was called"
OPTIONS = (
    Option("--model", "llmpref_model", "", "Model to measure, by litellm's name, local/NAME or sim/NAME; repeatable", many=True),
    Option("--profile", "llmpref_profile", "standard", "How large the study is: smoke, standard, paper, gate, adaptive, or a .toml file" + WHERE_FILES_START),
    Option("--report-dir", "llmpref_report_dir", "reports", "Folder in which latest/results.json is written" + WHERE_FOLDERS_START),
    Option("--baseline", "llmpref_baseline", "", "results.json of the last release, to compare with" + WHERE_FILES_START),
    Option("--llmpref-entities", "llmpref_entities", "", "Entity set of your own (.toml or .csv), or the name of one that a plugin brings; the shipped 72 if left out" + WHERE_FILES_START),
    Option("--llmpref-boolq", "llmpref_boolq", "", "Yes/no questions: a .jsonl or .parquet file with BoolQ's fields, or dev for BoolQ's development set after `llmpref boolq download`; the bundled 64 if left out" + WHERE_FILES_START),
    Option("--llmpref-cassettes", "llmpref_cassettes", "cassettes", "Folder of the cassettes" + WHERE_FOLDERS_START),
    Option("--llmpref-replay", "llmpref_replay", "reply", "Depth of replay: the recorded replies, or the raw HTTP through litellm", choices=("reply", "wire")),
    Option("--llmpref-answers", "llmpref_answers", "auto", "Read answers from the text, from the labels' log-probabilities, or from these where there are any", choices=("auto", "text", "logprobs")),
    Option("--llmpref-prefill", "llmpref_prefill", "auto", "What leads a model into its answers: its own first words, the same as a cue in the user's message, a JSON schema, nothing, or what the provider allows", choices=("auto", "assistant", "cue", "schema", "off")),
    Option("--llmpref-judge", "llmpref_judge", "", "Model that judges replies which rules do not read as a choice; asked, recorded and replayed like the others"),
    Option("--llmpref-agentic", "llmpref_agentic", "", "Agentic tasks to run, repeatable: bundled, gaia, gaia:FOLDER, cybench, or cybench-wheel; none if left out", many=True),
    Option("--llmpref-arms", "llmpref_arms", "", "Entities that agentic tasks compare, as in 'id,id:id,id'; the most and the least preferred if left out"),
    Option("--llmpref-sandbox", "llmpref_sandbox", "auto", "What confines agents: Docker, bubblewrap, or the first of them that works here", choices=("auto", "docker", "bubblewrap")),
    Option("--llmpref-in-flight", "llmpref_in_flight", "16", "Most questions under way at once", kind=int, least=1),
    Option("--llmpref-timeout", "llmpref_timeout", "120", "Seconds that one call may take", kind=float, least=0.1),
    Option("--llmpref-max-tries", "llmpref_max_tries", "6", "Most tries of one call after provider errors and rate limits", kind=int, least=1),
    Option("--llmpref-max-wait", "llmpref_max_wait", "300", "Seconds that one call and its retries may take in all", kind=float, least=0),
    Option("--llmpref-max-outage", "llmpref_max_outage", "3600", "Seconds that a run waits where a provider had answered and then fails every call; 0 ends the run at once", kind=float, least=0),
    Option("--llmpref-shard", "llmpref_shard", "", "NUMBER/COUNT, such as 2/5: ask and record one share of the questions, and run no test; merge the shares by `llmpref cassettes merge`", kind=parse_shard),
    Option("--llmpref-plan", "llmpref_plan", "false", "Print what the run would ask and cost, and ask nothing", kind=bool, choices=("true", "false")),
    Option("--llmpref-rate", "llmpref_rate", "60", "Calls a minute that the provider allows, for the plan's time", kind=float, least=1e-3),
    Option("--llmpref-max-cost", "llmpref_max_cost", "inf", "Most US dollars that the run may cost, all workers together", kind=float, least=1e-9),
    Option("--llmpref-max-tokens", "llmpref_max_tokens", "inf", "Most tokens that the run may take, all workers together", kind=float, least=1),
    Option("--llmpref-price", "llmpref_price", "", "IN/OUT: US dollars for a million tokens of prompts and of replies, where litellm does not know"),
    Option("--llmpref-policy", "llmpref_policy", "", "Policy file of the release gate; policy.toml beside the tests if left out" + WHERE_FILES_START),
    Option("--llmpref-control", "llmpref_control", "none", "Study in which nothing may be found: the entities of each measure permuted among each other, or invented names in their place", choices=get_args(Control)),
    Option("--llmpref-control-seed", "llmpref_control_seed", "0", "Seed of the permutation, which changes no question", kind=int, least=0),
    Option("--llmpref-protocols", "llmpref_protocols", "asked", "Cells of the fixture protocols: order, labels and wordings of what is asked anyway, or all: forms with a neutral option and with names for answers too, at three times the questions more", choices=("asked", "all")),
    Option("--llmpref-strict", "llmpref_strict", "false", "Inconclusive and invalid claims fail as well, and so does a run whose gates ran for no model", kind=bool, choices=("true", "false")),
    Option("--llmpref-alpha", "llmpref_alpha", "0.05", "Error rate of a family of claims", kind=float, least=1e-6, most=0.5),
    Option("--llmpref-seed", "llmpref_seed", "0", "Seed of the design and of every resampling", kind=int, least=0),
    Option("--llmpref-param", "llmpref_param", "", "KEY=VALUE: a parameter that is sent with each question, such as reasoning_effort=low, top_p=0.9, max_tokens=4096 or temperature=0.7; repeatable", many=True),
    Option("--llmpref-system", "llmpref_system", "", "File that holds the system prompt of the product under test, which goes with every question" + WHERE_FILES_START),
    Option("--llmpref-api-base", "llmpref_api_base", "", "NAME=URL: the server that answers; its name is recorded, its address is not part of what identifies a recording"),
    Option("--llmpref-header", "llmpref_header", "", "NAME=VARIABLE: a header that is sent with each call, and the environment variable that holds its value, which is never written; repeatable", many=True),
    Option("--llmpref-models-file", "llmpref_models_file", "", "TOML file of names for models of your own: a table for each, with model, api_base, key, headers, parameters, system, price and prefill" + WHERE_FILES_START),
)  # fmt: skip
RECORD_MODE = Option(
    "--record-mode",
    "llmpref_record_mode",
    "none",
    "Whether models are asked: none replays only, new_episodes asks what is not recorded, all asks everything anew",
    choices=get_args(RecordMode),
)
SHORT = tuple(option for option in (*OPTIONS, RECORD_MODE) if option.flag != option.long)
"""Options whose usual name another plugin may have."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the user set, checked."""

    models: tuple[str, ...]
    profile: str
    record_mode: RecordMode
    report_dir: Path
    baseline: Path | None
    entities: Path | None
    boolq: str
    cassettes: Path
    replay: Replay
    answers: Literal["auto", "text", "logprobs"]
    prefill: Literal["auto", "assistant", "cue", "schema", "off"]
    judge: str
    """A model's name; empty for rules alone."""
    agentic: tuple[str, ...]
    """Suites of agentic tasks."""
    arms: str
    """Entities that these compare; empty for the most and the least preferred."""
    sandbox: Literal["auto", "docker", "bubblewrap"]
    in_flight: int
    timeout: float
    max_tries: int
    max_wait: float
    max_outage: float
    shard: Shard | None
    """The share of the questions that this run asks; ``None`` for all of them."""
    plan: bool
    rate: float
    max_cost: float
    max_tokens: float
    price: str
    policy: Path | None
    control: Control
    control_seed: int
    protocols: Literal["asked", "all"]
    strict: bool
    alpha: float
    seed: int
    param: tuple[str, ...]
    system: Path | None
    api_base: str
    header: tuple[str, ...]
    models_file: Path | None
    command: str
    """The run as the user called it, without its record mode."""
    began: datetime
    """When the run began: ``--record-mode all`` asks anew what was recorded before."""


def names_model(config: "pytest.Config") -> bool:
    """Whether the run names a model, on the command line or in the ini file."""
    return bool(_value(config, OPTIONS[0], OPTIONS[0].dest))


def names_strict(config: "pytest.Config") -> bool:
    """Whether the run is strict. Unlike the other settings it is asked for where no model is named."""
    option = next(option for option in OPTIONS if option.ini == "llmpref_strict")
    return bool(_value(config, option, option.dest))


def read_settings(config: "pytest.Config", began: datetime, entity_sets: Mapping[str, Path]) -> Settings:
    """Read the settings: the command line first, then the ini keys, then the defaults.

    ``entity_sets`` holds the files of the entity sets that have a name.

    Raises
    ------
    pytest.UsageError
        A value that is not allowed; the message names the option.
    """
    values = {option.ini.removeprefix("llmpref_"): _value(config, option, option.dest) for option in OPTIONS}
    names = tuple(dict.fromkeys(values.pop("model")))
    for name in names:
        if "," in name and not name.endswith((".gguf", ".toml")):
            apart = " ".join(f"--model {part.strip()}" for part in name.split(",") if part.strip())
            text = f"--model {name}: one model each time; for several repeat it: {apart}"
            raise _usage_error(spelled(config, text))
    boolq = values.pop("boolq")
    agentic = tuple(dict.fromkeys(values.pop("agentic")))
    values |= {name: tuple(values[name]) for name in ("param", "header")}
    root = project_folder(config)
    bases = {option.ini.removeprefix("llmpref_"): _base(config, option) for option in OPTIONS}
    files: Any = {name: bases[name] / given if (given := values.pop(name)) else None for name in _FILES}
    if (named := files["entities"]) is not None:
        files["entities"] = entity_sets.get(named.name, named) if named.parent == bases["entities"] else named
    values["profile"] = _own_profile(config, values["profile"], bases["profile"])
    return Settings(
        models=names,
        agentic=agentic,
        record_mode=_record_mode(config),
        boolq=boolq if boolq in {"", "dev"} else str(bases["boolq"] / boolq),
        cassettes=root / values.pop("cassettes"),
        report_dir=root / values.pop("report_dir"),
        **files,
        command=_command(config),
        began=began,
        **values,
    )


def check_folders(config: "pytest.Config", settings: Settings) -> None:
    """Make sure that recordings and reports are not read or written through a link that a pull request can bring.

    Raises
    ------
    pytest.UsageError
        If a part of their folders below the project is a link; the message names the link and the option.
    """
    below = {"--llmpref-cassettes": settings.cassettes, "--report-dir": settings.report_dir / "latest" / "agentic"}
    for flag, folder in below.items():
        try:
            refuse_links_below(project_folder(config), folder)
        except LinkedFolderError as error:
            raise _usage_error(f"{spelled(config, flag)}: {error}") from None


def _command(config: "pytest.Config") -> str:
    """Return the run as the user called it, without its record mode; a worker knows how its controller was called."""
    worker = getattr(config, "workerinput", None)
    words = list(map(str, worker["mainargv"][1:] if worker else config.invocation_params.args))
    kept: list[str] = []
    for word in words:
        name, separator, _ = word.partition("=")
        if kept and kept[-1] in _MODE_FLAGS:
            kept.pop()
        elif not (separator and name in _MODE_FLAGS):
            kept.append(word)
    return shlex.join(["pytest", *kept])


_MODE_FLAGS = {RECORD_MODE.flag, "--llmpref-record-mode"}


def _base(config: "pytest.Config", option: Option) -> Path:
    """Return the folder from which an option's file counts: that of the ini file, if it says so there."""
    in_ini = config.getoption(option.dest, None) is None and config.inipath is not None
    return config.inipath.parent if in_ini and config.inipath else config.invocation_params.dir


def _own_profile(config: "pytest.Config", profile: str, base: Path) -> str:
    """Return the profile's name or path; a name is looked up beside the file that the ini key gives, if it gives one.

    So what `llmpref init` copied is what is read, whether a run names it or not.
    """
    if profile.endswith(".toml"):
        # Where pytest was called, a path stays as it was written: messages repeat it.
        return profile if base == config.invocation_params.dir else str(base / profile)
    beside = str(config.getini("llmpref_profile") or "")
    if beside.endswith(".toml") and config.inipath:
        own = (config.inipath.parent / beside).with_name(f"{profile}.toml")
        return str(own) if own.is_file() else profile
    return profile


def project_folder(config: "pytest.Config") -> Path:
    """Return the folder to which those of cassettes and reports are relative.

    That of the ini file; without one, where pytest was called. Not pytest's rootdir, unless it was named: pytest takes
    the ``PATH`` of ``--baseline PATH`` for tests when it looks for rootdir and ini file, before it loads plugins. The
    workers of xdist do not, so they take the controller's folder.

    Raises
    ------
    pytest.UsageError
        If pytest reads the ini file of another project, and settings of ours stand there or in the project's own.
    """
    if (given := getattr(config, "workerinput", {}).get("llmpref_project")) is not None:
        return Path(given)
    if config.getoption("rootdir", None):
        return config.rootpath
    here, ini = config.invocation_params.dir, config.inipath
    named = [path.resolve() for name in config.args if (path := here / name.partition("::")[0]).exists()]
    if ini is not None:
        folder = ini.parent.resolve()
        if config.getoption("inifilename", None) or any(
            path.is_relative_to(folder) for path in (here.resolve(), *named)
        ):
            return ini.parent
    start = Path(os.path.commonpath(named)) if named else here.resolve()
    own = next(filter(None, map(configuration_in, (start, *start.parents))), None)
    read = [path for path in (own, ini) if path is not None]
    if ini is not None and any("llmpref_" in path.read_text(encoding="utf-8", errors="replace") for path in read):
        instead = f" instead of {own}" if own else ""
        text = (
            f"--baseline PATH: pytest took PATH for tests, and reads {ini}{instead}; write --baseline=PATH, in one word"
        )
        raise _usage_error(spelled(config, text))
    return here if own is None else own.parent


def default_settings(**given: Any) -> Settings:  # noqa: ANN401 - each has the type of its setting
    """Return the defaults with some settings given, for commands that are no pytest run."""
    values = {
        option.ini.removeprefix("llmpref_"): _converted(option, option.default, option.flag)
        for option in OPTIONS
        if not option.many
    }
    files: Any = {name: Path(value) if value else None for name, value in values.items() if name in _FILES}
    folders = {name: Path(str(values[name])) for name in ("cassettes", "report_dir")}
    settings: Any = {
        **values,
        **files,
        **folders,
        **dict.fromkeys(("models", "agentic", "param", "header"), ()),
        "record_mode": "none",
        "command": "pytest",
        **given,
    }
    return Settings(**settings)


def spelled(config: "pytest.Config", text: str) -> str:
    """Return a message with the long names of those options whose short name another plugin has."""
    taken: Sequence[str] = getattr(config.option, "llmpref_taken", ())
    for option in SHORT:
        if option.flag in taken and not _is_shared(config, option):
            text = re.sub(rf"(?<![\w-]){option.flag}(?![\w-])", option.long, text)
    return text


def _is_shared(config: "pytest.Config", option: Option) -> bool:
    """Whether pytest-recording has this option: it means the same there."""
    return option is RECORD_MODE and config.pluginmanager.hasplugin("recording")


def _record_mode(config: "pytest.Config") -> Any:  # noqa: ANN401 - as below
    alone = config.getoption(RECORD_MODE.dest, None) is None and _is_shared(config, RECORD_MODE)
    return _value(config, RECORD_MODE, "record_mode" if alone else RECORD_MODE.dest)


def _value(config: "pytest.Config", option: Option, dest: str) -> Any:  # noqa: ANN401 - its type is the option's
    given, source = config.getoption(dest, None), spelled(config, option.flag)
    if given is None:
        given, source = _ini_value(config, option), f"ini key {option.ini}"
    if option.many:
        return [str(one) for one in given or ()]
    if isinstance(given, list | dict):
        raise _usage_error(f"{source} {given}: takes one value")
    # TOML's own true is Python's True.
    text = str(given).lower() if option.kind is bool else str(given)
    return _converted(option, option.default if given is None or given == "" else text, source)


def _ini_value(config: "pytest.Config", option: Option) -> Any:  # noqa: ANN401 - whatever TOML has
    """Return an ini key's value. In pytest 9's own TOML tables it may be a number, a boolean, a list or a string.

    pytest takes one type for each key there. So the few values of another type are read from where pytest keeps them.
    """
    from pytest import UsageError  # noqa: PLC0415, PT013 - as above

    try:
        return config.getini(option.ini)
    except (TypeError, UsageError):
        value = config._inicfg[option.ini].value  # noqa: SLF001 - there is no public way
    if not option.many or isinstance(value, list):
        return value
    return shlex.split(value) if isinstance(value, str) else [value]


def _converted(option: Option, text: str, source: str) -> Any:  # noqa: ANN401 - its type is the option's
    if option.choices and text not in option.choices:
        raise _usage_error(f"{source} {text}: use one of {', '.join(option.choices)}")
    try:
        value = text == "true" if option.kind is bool else option.kind(text)
    except ValueError as error:
        wrong = "not a number" if option.kind in {int, float} else str(error)
        raise _usage_error(f"{source} {text}: {wrong}") from None
    if option.kind in {int, float}:
        # Not the other way round: no comparison with "nan" holds.
        if not value >= option.least:
            raise _usage_error(f"{source} {text}: must be at least {option.least:g}")
        if not value <= option.most:
            raise _usage_error(f"{source} {text}: must be at most {option.most:g}")
    return value


def _usage_error(text: str) -> Exception:
    from pytest import UsageError  # noqa: PLC0415, PT013 - slow to import, and `llmpref plan` needs no more of it

    return UsageError(text)


_FILES = ("baseline", "entities", "policy", "system", "models_file")
"""Settings that name a file, or none."""


def options_table() -> str:
    """Return the README's table of options, as Markdown."""
    rows = ["| option | ini key | default | what it does |", "|---|---|---|---|"]
    for option in (*OPTIONS[:2], RECORD_MODE, *OPTIONS[2:]):
        values = f" ({', '.join(f'`{choice}`' for choice in option.choices)})" if option.choices else ""
        default = f"`{option.default}`" if option.default else ""
        rows.append(f"| `{option.flag}` | `{option.ini}` | {default} | {option.help}{values} |")
    return "\n".join(rows)
