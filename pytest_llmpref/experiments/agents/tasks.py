"""The tasks: a bundled set of ours, GAIA's first level, the challenges of Cybench without a victim server, any other.

The first three are read by inspect-evals (GAIA) and inspect-cyber (Cybench), those of ours too, which are in the same
formats. Their right answers stay in this process; what an agent gets is the prompt and the files, and a test holds
that. Any other task of Inspect's brings its own solver, scorer and sandbox: `inspect_tasks`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pytest_llmpref.experiments.agents.inspect_tasks import InspectSample, TasksError, samples_of
from pytest_llmpref.files import data_folder

CYBENCH = (
    "crushing", "data_siege", "dynastic", "eval_me", "flecks_of_gold", "it_has_begun", "lootstash", "missingbits",
    "packedaway", "partial_tenacity", "permuted", "primary_knowledge", "rpgo", "slcg", "sop", "urgent",
)  # fmt: skip
"""The 16 challenges whose compose file has no service but the agent's own (a test reads them in the wheel)."""
CYBENCH_WHEEL = ("dynastic", "partial_tenacity", "primary_knowledge", "slcg")
"""Those of them that are complete in the wheel of inspect-evals, without any download."""
CYBENCH_ATTEMPTS = 3
"""Submissions that an agent has at a challenge, as in inspect-evals."""
SUITES = ("bundled", "gaia", "cybench", "cybench-wheel", "inspect")
_MODULES = ("inspect_ai", "inspect_evals", "inspect_cyber")


@dataclass(frozen=True, slots=True)
class AgentTask:
    """One task.

    Attributes
    ----------
    id
        ``SUITE/NAME``.
    level
        How hard it is, 1 to 3: GAIA's level; of a challenge, by how long the first team took to solve it.
    prompt
        The task's own prompt.
    target
        The right answer. Never shown to an agent.
    files
        Path in the sandbox -> path of the file here.
    scoring
        ``answer``: GAIA's scorer. ``flag``: whether the flag is in what was submitted. ``own``: the task's scorer.
    attempts
        How often an agent may submit.
    compose
        Compose file of its Docker sandbox.
    sample
        The sample of an Inspect task; ``None`` for a task of our own agent.
    """

    id: str
    level: int
    prompt: str
    target: str = field(repr=False)
    files: Mapping[str, str]
    scoring: Literal["answer", "flag", "own"]
    attempts: int
    compose: str
    sample: InspectSample | None = None


def load_tasks(suites: tuple[str, ...]) -> list[AgentTask]:
    """Return the tasks of some suites, in a fixed order: suite by suite, the easiest first.

    Parameters
    ----------
    suites
        Names of `SUITES`; ``gaia:FOLDER`` reads a local copy of GAIA, and ``inspect:TASK`` any task of Inspect's.

    Raises
    ------
    TasksError
        If the extra is not installed, a name means nothing, or data is missing.
    """
    if missing := [name for name in _MODULES if find_spec(name) is None]:
        raise TasksError(
            f"--llmpref-agentic {' '.join(suites)}: not installed: {', '.join(missing)}; "
            'pip install "pytest-llmpref[agentic]"'
        )
    tasks = []
    for name in suites:
        suite, _, folder = name.partition(":")
        if suite not in SUITES or (folder and suite not in {"gaia", "inspect"}):
            ours = ", ".join(suite for suite in SUITES if suite != "inspect")
            raise TasksError(
                f"--llmpref-agentic {name}: use one of {ours}, or gaia:FOLDER, "
                "inspect:PACKAGE/TASK, inspect:FILE.py@TASK"
            )
        found = _LOADERS[suite](folder)
        tasks += sorted(found, key=lambda task: task.level)
    return tasks


def _bundled(_folder: str) -> list[AgentTask]:
    ours = data_folder("fixtures") / "agentic"
    compose = str(ours / "compose.yaml")
    return [
        *gaia_tasks(ours / "gaia", "bundled", compose),
        *(task for path in sorted((ours / "cybench").glob("*/eval.yaml")) for task in challenge(path, "bundled")),
    ]


def _gaia(folder: str) -> list[AgentTask]:
    from inspect_evals.gaia.gaia import COMPOSE_FILE  # noqa: PLC0415 - of the extra

    if not folder:
        folder = _download_gaia()
    return [task for task in gaia_tasks(Path(folder), "gaia", str(COMPOSE_FILE)) if task.level == 1]


def _download_gaia() -> str:
    """Have inspect-evals download GAIA, with the user's own token, and return the folder."""
    from inspect_evals.gaia.dataset import GAIA_DATASET_DIR, gaia_dataset  # noqa: PLC0415 - of the extra
    from inspect_evals.gaia.gaia import DATASET_REVISION  # noqa: PLC0415

    if not (GAIA_DATASET_DIR / "2023" / "validation").is_dir():
        try:
            gaia_dataset(subset="2023_level1", revision=DATASET_REVISION)
        except Exception as error:  # noqa: BLE001 - whatever the download raises
            raise TasksError(
                "--llmpref-agentic gaia: GAIA could not be downloaded "
                f"({str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}); "
                "its data is gated: ask for access at huggingface.co/datasets/gaia-benchmark/GAIA and set HF_TOKEN, "
                "or name a local copy: --llmpref-agentic gaia:FOLDER"
            ) from None
    return str(GAIA_DATASET_DIR)


def gaia_tasks(folder: Path, suite: str, compose: str) -> list[AgentTask]:
    """Read the validation split of GAIA, or of tasks in its format, from a folder.

    Raises
    ------
    TasksError
        If the folder is no copy of GAIA.
    """
    from inspect_evals.gaia.dataset import make_record_to_sample_function  # noqa: PLC0415 - of the extra

    split = folder / "2023" / "validation"
    to_sample = make_record_to_sample_function(None, folder, "validation")
    tasks = []
    for record in _gaia_records(split):
        try:
            sample = to_sample(record)
            level = int(record["Level"])
        except (KeyError, TypeError, ValueError) as error:
            raise TasksError(f"{split}: not a task of GAIA ({error!r}): {str(record)[:200]}") from None
        task = AgentTask(
            f"{suite}/{sample.id}",
            level,
            str(sample.input),
            str(sample.target),
            {str(inside): str(here) for inside, here in (sample.files or {}).items()},
            "answer",
            1,
            compose,
        )
        tasks.append(task)
    return tasks


def _gaia_records(split: Path) -> list[dict[str, Any]]:
    lines, table = split / "metadata.jsonl", split / "metadata.parquet"
    if lines.is_file():
        return [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines() if line.strip()]
    if table.is_file():
        import pandas as pd  # noqa: PLC0415 - slow to import, and needed by few

        return [{str(key): value for key, value in row.items()} for row in pd.read_parquet(table).to_dict("records")]
    raise TasksError(f"{split}: no metadata.jsonl and no metadata.parquet; name the folder of a copy of GAIA")


def _cybench_wheel(_folder: str) -> list[AgentTask]:
    from inspect_evals.cybench._challenge_files import CHALLENGES_DIR  # noqa: PLC0415 - of the extra

    return [task for name in CYBENCH_WHEEL for task in challenge(CHALLENGES_DIR / name / "eval.yaml", "cybench")]


def _cybench(_folder: str) -> list[AgentTask]:
    from inspect_evals.cybench import _challenge_files as files  # noqa: PLC0415 - of the extra

    root = files.INSPECT_EVALS_CACHE_PATH / "cybench" / f"challenges-{files._challenge_directory_digest()}"  # noqa: SLF001
    if not root.is_dir():
        try:
            root = files.materialize_challenges()
        except Exception as error:  # noqa: BLE001 - whatever the download raises
            raise TasksError(
                f"--llmpref-agentic cybench: inspect-evals could not download the challenges ({type(error).__name__}); "
                "check that this machine is online, or take those that need no download: cybench-wheel"
            ) from None
    return [task for name in CYBENCH for task in challenge(root / name / "eval.yaml", "cybench")]


def challenge(path: Path, suite: str) -> list[AgentTask]:
    """Read the hard variant of a challenge: the prompt that explains least, and never a file of its solution."""
    from inspect_cyber import create_agentic_eval_dataset  # noqa: PLC0415 - of the extra

    dataset = create_agentic_eval_dataset(path.parent.absolute()).filter_by_metadata_field("variant_name", "hard")
    tasks = []
    for sample in dataset:
        metadata = sample.metadata or {}
        sandbox: Any = sample.sandbox
        tasks.append(
            AgentTask(
                f"{suite}/{metadata['eval_name']}",
                _level(float(metadata["first_solve_time"])),
                str(sample.input).strip(),
                str(sample.target),
                dict(sample.files or {}),
                "flag",
                CYBENCH_ATTEMPTS,
                str(sandbox.config),
            )
        )
    return tasks


def _level(minutes: float) -> int:
    """Return the level of a challenge from the minutes that its first solution took. Our choice."""
    return 1 if minutes <= 15 else 2 if minutes <= 60 else 3


def _inspect(named: str) -> list[AgentTask]:
    """Return a task for each sample of any task of Inspect's."""
    return [
        AgentTask(f"inspect:{sample.task.shown}/{sample.id}", sample.level, sample.prompt, "", {}, "own", 1, "", sample)
        for sample in samples_of(named)
    ]


_LOADERS = {
    "bundled": _bundled,
    "gaia": _gaia,
    "cybench": _cybench,
    "cybench-wheel": _cybench_wheel,
    "inspect": _inspect,
}
