"""``llmpref plan``: what a study would ask and cost, before anything is asked."""

import argparse
import contextlib
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmpref.files import refuse_links_below

if TYPE_CHECKING:
    from pytest_llmpref.claims.claim import Threshold
    from pytest_llmpref.config.options import Settings

PROFILES = "smoke, standard, paper, gate, adaptive, or a .toml file (default: standard)"


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    command = commands.add_parser(
        "plan",
        help="show questions, tokens, cost and time of a study",
        description="Show what a study would ask, take and cost, and what it could detect. Nothing is asked. "
        "To plan exactly what some tests would ask, use: pytest TESTS --model NAME --llmpref-plan",
    )
    command.add_argument("--model", action="append", required=True, metavar="NAME", help="model to measure; repeatable")
    command.add_argument("--profile", default="standard", metavar="PROFILE", help=PROFILES)
    command.add_argument(
        "--entities", type=Path, metavar="FILE", help="your own entities, .toml or .csv, or the name of a shipped set"
    )
    command.add_argument(
        "--cassettes", type=Path, default=Path("cassettes"), metavar="FOLDER", help="folder of the recordings"
    )
    command.add_argument(
        "--policy",
        type=Path,
        metavar="FILE",
        help="policy of the release gate, which decides when a sequential profile stops",
    )
    command.add_argument("--boolq", default="", metavar="FILE", help="yes/no questions, as for --llmpref-boolq")
    command.add_argument(
        "--rate", type=float, default=60.0, metavar="CALLS", help="calls a minute that the provider allows"
    )
    command.add_argument(
        "--price", default="", metavar="IN/OUT", help="US dollars for a million tokens of prompts and of replies"
    )
    command.add_argument("--judge", default="", metavar="NAME", help="model that judges replies, or auto")
    command.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="parameter that is sent with each question; repeatable",
    )
    command.add_argument(
        "--system", type=Path, metavar="FILE", help="file with the system prompt that is sent with every question"
    )
    command.add_argument("--models-file", type=Path, metavar="FILE", help="TOML file that describes your own models")
    command.add_argument(
        "--measure",
        action="append",
        metavar="MEASURE",
        help="measure to plan; repeatable (default: all except those in contexts)",
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from pytest_llmpref.errors import LLMPrefError  # noqa: PLC0415 - imports what a study needs
    from pytest_llmpref.experiments.registry import behaviours, measured_by  # noqa: PLC0415
    from pytest_llmpref.garbage import no_garbage_collection  # noqa: PLC0415
    from pytest_llmpref.study.extensions import register_installed  # noqa: PLC0415
    from pytest_llmpref.study.planning import plan_lines  # noqa: PLC0415
    from pytest_llmpref.study.studies import Studies  # noqa: PLC0415

    if not (math.isfinite(options.rate) and options.rate > 0):
        raise LLMPrefError(f"--rate {options.rate:g}: it must be a number above 0")
    register_installed()
    measures = options.measure or [name for name in measured_by().values() if not behaviours()[name].is_apart]
    if unknown := [name for name in measures if name not in behaviours()]:
        raise LLMPrefError(f"--measure {unknown[0]}: use one of {', '.join(behaviours())}")
    studies = Studies(_settings(options), _no_progress)
    with contextlib.closing(studies), no_garbage_collection():
        studies.thresholds = _thresholds(options.policy, len(studies.entities()), studies.settings)
        for model in options.model:
            print("\n".join(plan_lines(studies[model], measures, studies.settings)))


def _thresholds(path: Path | None, entities: int, settings: "Settings") -> "dict[str, tuple[Threshold, ...]]":
    """Return what the release gate compares each measure with; by the shipped policy unless one is given.

    Where a test makes a claim for each entity, these are a family.
    """
    from pytest_llmpref.claims.claim import DEFAULT_ALPHA, Threshold  # noqa: PLC0415 - as above
    from pytest_llmpref.config.policy import FILE, load_policy  # noqa: PLC0415
    from pytest_llmpref.experiments.policies import check_margins  # noqa: PLC0415
    from pytest_llmpref.experiments.registry import behaviours  # noqa: PLC0415
    from pytest_llmpref.files import data_folder  # noqa: PLC0415

    folder = data_folder("suites") / "release_gate"
    policy = load_policy(path or folder / FILE)
    check_margins(policy)
    found: dict[str, tuple[Threshold, ...]] = {}
    for behaviour, key, gate in ((one, key, gate) for one in behaviours().values() for key, gate in one.gates.items()):
        test = policy.tests.get(gate.table)
        is_off = gate is behaviour.entity_gate and behaviour.entity_off(settings)
        if test is not None and not is_off and test.role not in {"exploratory", "off"}:
            claims = entities if "entity" in gate.fixtures else 1
            found[key] = (Threshold(test.margin, policy.alpha or DEFAULT_ALPHA, test.role == "gate", claims),)
    return found


def _settings(options: argparse.Namespace) -> Any:  # noqa: ANN401 - Settings, imported when needed
    from pytest_llmpref.config.options import default_settings  # noqa: PLC0415 - as above

    refuse_links_below(Path.cwd(), options.cassettes)
    return default_settings(
        models=tuple(options.model),
        profile=options.profile,
        entities=options.entities,
        cassettes=options.cassettes,
        rate=options.rate,
        price=options.price,
        param=tuple(options.param),
        system=options.system,
        models_file=options.models_file,
        judge=options.judge,
        boolq=options.boolq,
        began=datetime.now(UTC),
    )


def _no_progress(title: str, total: int) -> Any:  # noqa: ANN401 - never called
    raise AssertionError(f"a plan asks nothing, and so not {title} ({total})")
