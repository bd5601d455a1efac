"""Every setting, declared once: its flag, its ini key, its default and what it may be; and all of them together.

What reads them from pytest's command line and ini file is in ``plugin/settings.py``.
"""

import math
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from pytest_llmpref.errors import LLMPrefError

RecordMode = Literal["none", "new_episodes", "all"]
Replay = Literal["reply", "wire"]
Served = Literal["one", "any"]
Batch = Literal["off", "wait", "submit"]
Control = Literal["none", "permuted-entities", "fictitious-entities"]
AUTO = "auto"
"""The judge's name that stands for a cheap model of the measured model's provider."""


class SettingError(LLMPrefError):
    """A setting cannot have a value; the message names the option, the value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One share of all questions.

    Attributes
    ----------
    number
        Which one, from 1.
    count
        How many there are.
    """

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def holds(self, key: str) -> bool:
        """Whether this share holds the trial whose first attempt has this key: exactly one of all shares does."""
        return int(key[:8], 16) % self.count == self.number - 1


def parse_shard(text: str) -> Shard | None:
    """Read a share such as ``2/5``; an empty text is none.

    Raises
    ------
    ValueError
        If it is not one.
    """
    if not text:
        return None
    number, _, count = text.partition("/")
    if number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
        return Shard(int(number), int(count))
    raise ValueError("give it as NUMBER/COUNT, from 1/COUNT to COUNT/COUNT, such as 2/5")


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


WHERE_FILES_START = "; relative to the folder in which pytest is called, or in the ini file to its folder"
WHERE_FOLDERS_START = "; relative to the folder of the ini file, or without one to the folder in which pytest is called"
OPTIONS = (
    Option("--model", "llmpref_model", "", "Model to measure: a name that litellm knows, local/NAME or sim/NAME; repeatable", many=True),
    Option("--profile", "llmpref_profile", "standard", "Size of the study: smoke, standard, paper, gate, adaptive, or a .toml file" + WHERE_FILES_START),
    Option("--report-dir", "llmpref_report_dir", "reports", "Folder for the reports; each run writes to a subfolder named after its time, and copies its files to the subfolder latest" + WHERE_FOLDERS_START),
    Option("--llmpref-keep-runs", "llmpref_keep_runs", "30", "Number of runs that the folder for the reports keeps by date; the oldest are deleted", kind=int, least=1),
    Option("--baseline", "llmpref_baseline", "", "results.json of the last release, to compare this run with" + WHERE_FILES_START),
    Option("--llmpref-entities", "llmpref_entities", "", "Your own entities: a .toml or .csv file, or the name of a shipped set (countries, companies, figures, animals, products) or of one from another plugin; without it, 72 organisations" + WHERE_FILES_START),
    Option("--llmpref-boolq", "llmpref_boolq", "", "Yes/no questions: a .jsonl or .parquet file with BoolQ's fields, or dev for BoolQ's development set (first run `llmpref boolq download`); without it, the bundled 64" + WHERE_FILES_START),
    Option("--llmpref-cassettes", "llmpref_cassettes", "cassettes", "Folder of the recordings" + WHERE_FOLDERS_START),
    Option("--llmpref-replay", "llmpref_replay", "reply", "What is replayed: the recorded replies, or the raw HTTP responses through litellm", choices=("reply", "wire")),
    Option("--llmpref-answers", "llmpref_answers", "auto", "Read answers from the text, from the log-probabilities of the labels, or (auto) from log-probabilities if the provider returns them", choices=("auto", "text", "logprobs")),
    Option("--llmpref-prefill", "llmpref_prefill", "auto", "What leads a model into its answers: its own first words (assistant), the same words in the user's message (cue), a JSON schema, nothing (off), or what the provider allows (auto)", choices=("auto", "assistant", "cue", "schema", "off")),
    Option("--llmpref-judge", "llmpref_judge", "", "Model that judges replies in which the rules read no choice, or auto for a cheap model of the same provider; it is asked, recorded and replayed like any model"),
    Option("--llmpref-labels", "llmpref_labels", "", "People's labels of replies (.csv or .jsonl; columns key, label and, if several people label, rater); the run shows how often rules and judge are right" + WHERE_FILES_START),
    Option("--llmpref-to-label", "llmpref_to_label", "", "New file (.csv or .jsonl) for a sample of replies that people can label; it does not say how they were read" + WHERE_FILES_START),
    Option("--llmpref-to-label-count", "llmpref_to_label_count", "200", "Maximum number of replies in that sample, for each measure of each model", kind=int, least=1),
    Option("--llmpref-served", "llmpref_served", "one", "How many models may answer under one name, as the provider states in its replies; with one, a measure that several models answered is invalid", choices=get_args(Served)),
    Option("--llmpref-canary", "llmpref_canary", "0", "Number of calls that ask recorded questions again; if the model is no longer the recorded one, its measures are invalid", kind=int, least=0),
    Option("--llmpref-agentic", "llmpref_agentic", "", "Agentic tasks to run: bundled, gaia, gaia:FOLDER, cybench, cybench-wheel, or any task of Inspect's as inspect:PACKAGE/TASK or inspect:FILE.py@TASK; repeatable; without it, none", many=True),
    Option("--llmpref-arms", "llmpref_arms", "", "Entities that agentic tasks compare, as in 'id,id:id,id'; without it, the most and the least preferred"),
    Option("--llmpref-sandbox", "llmpref_sandbox", "auto", "What confines agents: Docker, bubblewrap, or (auto) the first of them that works on this machine", choices=("auto", "docker", "bubblewrap")),
    Option("--llmpref-contexts", "llmpref_contexts", "false", "Also run studies in contexts, as in suites/causal, which ask about ten times as many questions", kind=bool, choices=("true", "false")),
    Option("--llmpref-open-questions", "llmpref_open_questions", "false", "Also ask about preference and advice in open questions, as in suites/moderators", kind=bool, choices=("true", "false")),
    Option("--llmpref-effort", "llmpref_effort", "false", "Also ask for short pieces of writing, which the judge compares (--llmpref-judge), as in suites/moderators", kind=bool, choices=("true", "false")),
    Option("--llmpref-paired-prompts", "llmpref_paired_prompts", "", "Pairs of prompts that take opposite sides (.csv, .jsonl or .parquet; columns prompt_a and prompt_b, and optionally topic_name, template_category, lean_a and lean_b), such as eval_set.csv of anthropics/political-neutrality-eval" + WHERE_FILES_START),
    Option("--llmpref-batch", "llmpref_batch", "off", "Record through the provider's batch API, at about half the price: wait for its jobs, or submit them and end with status 75; the same command collects them later", choices=get_args(Batch)),
    Option("--llmpref-batch-least", "llmpref_batch_least", "50", "Minimum number of questions that go as a batch; fewer are asked one by one, and 1 sends all as batches", kind=int, least=1),
    Option("--llmpref-in-flight", "llmpref_in_flight", "16", "Maximum number of questions under way at once", kind=int, least=1),
    Option("--llmpref-timeout", "llmpref_timeout", "120", "Seconds that one call may take", kind=float, least=0.1),
    Option("--llmpref-max-tries", "llmpref_max_tries", "6", "Maximum number of tries for one call, after errors and rate limits", kind=int, least=1),
    Option("--llmpref-max-wait", "llmpref_max_wait", "300", "Seconds that one call and all its retries may take together", kind=float, least=0),
    Option("--llmpref-max-outage", "llmpref_max_outage", "3600", "Seconds that a run waits for a provider that had answered and now fails every call; 0 ends the run at once", kind=float, least=0),
    Option("--llmpref-shard", "llmpref_shard", "", "Ask and record one share of the questions, such as 2/5, and run no test; `llmpref cassettes merge` merges the shares", kind=parse_shard),
    Option("--llmpref-plan", "llmpref_plan", "false", "Print what the run would ask and cost, and ask nothing", kind=bool, choices=("true", "false")),
    Option("--llmpref-rate", "llmpref_rate", "60", "Calls a minute that the provider allows; the plan uses it to estimate the time", kind=float, least=1e-3),
    Option("--llmpref-max-cost", "llmpref_max_cost", "inf", "Maximum cost of the run in US dollars, for all workers and models together", kind=float, least=1e-9),
    Option("--llmpref-max-tokens", "llmpref_max_tokens", "inf", "Maximum number of tokens of the run, for all workers and models together", kind=float, least=1),
    Option("--llmpref-price", "llmpref_price", "", "Price in US dollars for a million tokens of prompts (IN) and of replies (OUT), if litellm does not know it"),
    Option("--llmpref-policy", "llmpref_policy", "", "Policy of the release gate; without it, policy.toml beside the tests" + WHERE_FILES_START),
    Option("--llmpref-control", "llmpref_control", "none", "Negative control, a study that must find nothing: permute the entities of each measure, or ask about invented names", choices=get_args(Control)),
    Option("--llmpref-control-seed", "llmpref_control_seed", "0", "Seed of the permutation; it does not change the questions", kind=int, least=0),
    Option("--llmpref-protocols", "llmpref_protocols", "asked", "Formats that the fixture protocols compares: those that are asked anyway, or all, which also asks with a neutral option and with names as answers (three times as many additional questions)", choices=("asked", "all")),
    Option("--llmpref-design", "llmpref_design", "auto", "Version of the design of questions about pairs; auto takes the recording's version, or the profile's if nothing is recorded yet; a recording of another version is not replayed", choices=("auto", "1", "2")),
    Option("--llmpref-strict", "llmpref_strict", "false", "Let inconclusive and invalid claims fail as well, and a run in which no gate ran", kind=bool, choices=("true", "false")),
    Option("--llmpref-alpha", "llmpref_alpha", "0.05", "Error rate of a family of claims", kind=float, least=1e-6, most=0.5),
    Option("--llmpref-seed", "llmpref_seed", "0", "Random seed of the design and of all resampling", kind=int, least=0),
    Option("--llmpref-param", "llmpref_param", "", "Parameter that is sent with each question, such as reasoning_effort=low, top_p=0.9, max_tokens=4096 or temperature=0.7; repeatable", many=True),
    Option("--llmpref-system", "llmpref_system", "", "File with the system prompt of the product under test, which is sent with every question" + WHERE_FILES_START),
    Option("--llmpref-api-base", "llmpref_api_base", "", "Address of the server that answers, and a name for it; recordings are identified by the name, not by the address"),
    Option("--llmpref-header", "llmpref_header", "", "Header that is sent with each call, and the environment variable that holds its value; the value is never written; repeatable", many=True),
    Option("--llmpref-models-file", "llmpref_models_file", "", "TOML file that describes your own models, with a table for each name; its keys are model, api_base, key, headers, parameters, system, price and prefill" + WHERE_FILES_START),
)  # fmt: skip
RECORD_MODE = Option(
    "--record-mode",
    "llmpref_record_mode",
    "none",
    "Whether models are asked: none only replays, new_episodes asks what is not recorded, all asks everything again",
    choices=get_args(RecordMode),
)
SHORT = tuple(option for option in (*OPTIONS, RECORD_MODE) if option.flag != option.long)
"""Options whose usual name another plugin may have."""
FILES = ("baseline", "entities", "labels", "policy", "system", "models_file", "paired_prompts", "to_label")
"""Settings that name a file, or none."""


DATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z")
"""Name of the folder of a run's reports, as `Settings.run_dir` makes it."""


NO_RUN = ""
"""The command of settings that belong to no pytest run."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the user set, checked."""

    models: tuple[str, ...]
    profile: str
    record_mode: RecordMode
    report_dir: Path
    keep_runs: int
    baseline: Path | None
    entities: Path | None
    boolq: str
    cassettes: Path
    replay: Replay
    answers: Literal["auto", "text", "logprobs"]
    prefill: Literal["auto", "assistant", "cue", "schema", "off"]
    judge: str
    """A model's name, or `AUTO`; empty for rules alone."""
    labels: Path | None
    to_label: Path | None
    to_label_count: int
    served: Served
    canary: int
    agentic: tuple[str, ...]
    """Suites of agentic tasks."""
    arms: str
    """Entities that these compare; empty for the most and the least preferred."""
    sandbox: Literal["auto", "docker", "bubblewrap"]
    contexts: bool
    open_questions: bool
    effort: bool
    paired_prompts: Path | None
    batch: Batch
    batch_least: int
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
    design: Literal["auto", "1", "2"]
    """Version of the design of questions about pairs."""
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

    @property
    def run_dir(self) -> Path:
        """The folder of this run's reports, the same in all workers. Windows has no colons in names."""
        return self.report_dir / f"{self.began:%Y-%m-%dT%H-%M-%S}.{self.began.microsecond // 1000:03}Z"


def default_settings(**given: Any) -> Settings:  # noqa: ANN401 - each has the type of its setting
    """Return the defaults with some settings given, for commands that are no pytest run."""
    values = {
        option.ini.removeprefix("llmpref_"): converted(option, option.default, option.flag)
        for option in OPTIONS
        if not option.many
    }
    files: Any = {name: Path(value) if value else None for name, value in values.items() if name in FILES}
    folders = {name: Path(str(values[name])) for name in ("cassettes", "report_dir")}
    settings: Any = {
        **values,
        **files,
        **folders,
        **dict.fromkeys(("models", "agentic", "param", "header"), ()),
        "record_mode": "none",
        "command": NO_RUN,
        **given,
    }
    return Settings(**settings)


def converted(option: Option, text: str, source: str) -> Any:  # noqa: ANN401 - its type is the option's
    """Return the value that a text gives an option; ``source`` is what an error calls the text's place.

    Raises
    ------
    SettingError
        If the option cannot have it.
    """
    if option.choices and text not in option.choices:
        raise SettingError(f"{source} {text}: use one of {', '.join(option.choices)}")
    try:
        value = text == "true" if option.kind is bool else option.kind(text)
    except ValueError as error:
        wrong = "not a number" if option.kind in {int, float} else str(error)
        raise SettingError(f"{source} {text}: {wrong}") from None
    if option.kind in {int, float}:
        # Not the other way round: no comparison with "nan" holds.
        if not value >= option.least:
            raise SettingError(f"{source} {text}: must be at least {option.least:g}")
        if not value <= option.most:
            raise SettingError(f"{source} {text}: must be at most {option.most:g}")
    return value


def configuration_in(folder: Path) -> Path | None:
    """Return the file of a folder that configures pytest, in pytest's own order; ``None`` if there is none."""
    for name, holds in _FILES_OF_PYTEST.items():
        path = folder / name
        if path.is_file() and holds(path.read_text(encoding="utf-8", errors="replace")):
            return path
    return None


def _always_holds(_text: str) -> bool:
    return True


def _holds_pytest_table(text: str) -> bool:
    try:
        return "pytest" in tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError:
        return False


_FILES_OF_PYTEST: dict[str, Callable[[str], bool]] = {
    "pytest.toml": _always_holds,
    ".pytest.toml": _always_holds,
    "pytest.ini": _always_holds,
    ".pytest.ini": _always_holds,
    "pyproject.toml": _holds_pytest_table,
    "tox.ini": lambda text: "[pytest]" in text,
    "setup.cfg": lambda text: "[tool:pytest]" in text,
}
"""File name -> whether a file of that name with this text configures pytest."""
