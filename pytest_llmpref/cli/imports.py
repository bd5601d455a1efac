"""``llmpref import``: data that others paid for, as models that can be tested and are never asked."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import refuse_links_below

if TYPE_CHECKING:
    from pytest_llmpref.imports.intake import Wanted
    from pytest_llmpref.imports.store import Writer


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommands."""
    command = commands.add_parser(
        "import", help="import choices or replies that others collected, to test them like a model"
    )
    kinds = command.add_subparsers(required=True, metavar="KIND")
    what = "choices between two entities: a table with first, second and what was chosen"
    _declare(kinds.add_parser("choices", help=what, description=what), _choices)
    what = "replies to open questions about one entity each: a table, an Inspect log, or the result file of a batch"
    replies = kinds.add_parser("replies", help=what, description=what)
    _declare(replies, _replies)
    replies.add_argument(
        "--questions", type=Path, metavar="FILE", help="table of the questions by id, such as the entity of each"
    )


def _declare(command: argparse.ArgumentParser, run: Any) -> None:  # noqa: ANN401 - a function of the options
    """Declare what all kinds of tables share."""
    command.add_argument("file", type=Path, metavar="FILE", help=".csv, .jsonl (both also with .gz) or .parquet")
    command.add_argument("--name", default="", help="name after imported/ (default: the name in column model)")
    command.add_argument(
        "--model", action="append", default=[], metavar="NAME", help="model of the file to import; repeatable, or all"
    )
    command.add_argument(
        "--measure",
        action="append",
        default=[],
        metavar="NAME",
        help="measure of every row; or CONDITION=NAME, if a column holds conditions; repeatable",
    )
    command.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="OURS=THEIRS",
        help="column of the file that holds one of ours under another name; repeatable",
    )
    command.add_argument(
        "--value",
        action="append",
        default=[],
        metavar="THEIRS=OURS",
        help="outcome that a word in the file means, such as tie=abstention; repeatable",
    )
    command.add_argument(
        "--mapping", type=Path, help="TOML file with the tables columns, values and measures, for these options"
    )
    command.add_argument("--entities", type=Path, help="entity file; rows about others are left out, and counted")
    command.add_argument(
        "--read-by",
        choices=("given", "rules"),
        default="given",
        help="source of the outcomes: the file if it states one, or our reader for every reply with a text",
    )
    present = command.add_mutually_exclusive_group()
    present.add_argument("--add", action="store_const", const="add", dest="present", help="add to what is there")
    present.add_argument(
        "--replace", action="store_const", const="replace", dest="present", help="replace what is there"
    )
    command.add_argument(
        "--folder", type=Path, default=Path("cassettes"), help="folder of the cassettes (default: %(default)s)"
    )
    command.set_defaults(run=run, present="error")


def _choices(options: argparse.Namespace) -> None:
    from pytest_llmpref.imports.choices import import_choices  # noqa: PLC0415 - only this command needs them
    from pytest_llmpref.study.extensions import register_installed  # noqa: PLC0415
    from pytest_llmpref.study.imported import importable  # noqa: PLC0415

    register_installed()
    measures = importable("choices")
    show(import_choices(options.file, _wanted(options, measures), measures))


def _replies(options: argparse.Namespace) -> None:
    from pytest_llmpref.imports.replies import import_replies  # noqa: PLC0415 - only this command needs them
    from pytest_llmpref.imports.tables import by_id  # noqa: PLC0415
    from pytest_llmpref.study.extensions import register_installed  # noqa: PLC0415
    from pytest_llmpref.study.imported import importable  # noqa: PLC0415

    register_installed()
    measures = importable("replies")
    if not options.measure and len(measures) == 1:
        options.measure = measures
    about = None if options.questions is None else by_id(options.questions)
    show(import_replies(options.file, _wanted(options, measures), measures, about))


def _wanted(options: argparse.Namespace, measures: Iterable[str]) -> "Wanted":
    from pytest_llmpref.config.entities import load_entities  # noqa: PLC0415 - as above
    from pytest_llmpref.imports.intake import MappingFile, Wanted, load_mapping  # noqa: PLC0415

    refuse_links_below(Path.cwd(), options.folder)
    mapping = MappingFile() if options.mapping is None else load_mapping(options.mapping)
    every = [given for given in options.measure if "=" not in given]
    by_condition = mapping.measures | _pairs("--measure", (given for given in options.measure if "=" in given))
    for name in (*every, *by_condition.values()):
        if name not in measures:
            raise LLMPrefError(f"--measure {name}: such data give no measure of this name, but {', '.join(measures)}")
    if len(every) > 1 or (every and by_condition):
        raise LLMPrefError("--measure: name one for every row, or CONDITION=NAME for each condition")
    return Wanted(
        folder=options.folder,
        name=options.name,
        models=tuple(options.model),
        measure=every[0] if every else "",
        measures=by_condition,
        columns=mapping.columns | _pairs("--column", options.column),
        values=mapping.values | _pairs("--value", options.value),
        entities=None if options.entities is None else load_entities(options.entities),
        read_by=options.read_by,
        present=options.present,
    )


def _pairs(option: str, given: Iterable[str]) -> dict[str, str]:
    pairs = {}
    for one in given:
        name, equals, value = one.rpartition("=") if option == "--value" else one.partition("=")
        if not (equals and name and value):
            raise LLMPrefError(f"{option} {one}: write two words with = between them")
        pairs[name] = value
    return pairs


def show(writers: "Iterable[Writer]") -> None:
    """Print what was imported, and how to test it.

    Parameters
    ----------
    writers
        A model each.
    """
    from pytest_llmpref.characters import on_one_line  # noqa: PLC0415 - as above
    from pytest_llmpref.report.wording import plural  # noqa: PLC0415

    models = list[str]()
    for writer in writers:
        models.append(writer.model)
        header = writer.header
        print(on_one_line(f"{writer.model}: {header.record.said}"))
        for measure, count in writer.counts.items():
            entities = plural(len(header.entities), "entity", "entities")
            known = writer.labelled[measure]
            labels = f"; labels of {known:,} are known" if known and known < count else ""
            print(f"  {measure}: {count:,} trials about {entities}{labels}")
        print(on_one_line(f"  in {writer.path}"))
    words = " ".join(f"--model {name}" for name in models[:3])
    print(on_one_line(f"test with: pytest suites {words}{' ...' if len(models) > 3 else ''}"))
