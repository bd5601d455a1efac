"""``llmpref batches``: looks after the jobs of providers' batch APIs."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmpref.characters import on_one_line
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import refuse_links_below

if TYPE_CHECKING:
    from pytest_llmpref.study.collecting import Collection


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    batches = commands.add_parser("batches", help="list, wait for, collect and cancel jobs of providers' batch APIs")
    actions = batches.add_subparsers(required=True, metavar="ACTION")
    for name, (run, what) in _ACTIONS.items():
        command = actions.add_parser(name, help=what)
        command.add_argument(
            "model", nargs="?", default="", help="the model's name, as given to --model (default: all)"
        )
        command.add_argument(
            "--folder",
            type=Path,
            default=Path("cassettes"),
            help="folder of the cassettes (default: %(default)s, in this one)",
        )
        command.add_argument(
            "--models-file", type=Path, metavar="FILE", help="TOML file of names for models of your own"
        )
        command.set_defaults(run=run)


def _found(options: argparse.Namespace) -> "list[Collection]":
    from pytest_llmpref.study.collecting import collections_in  # noqa: PLC0415 - imports what a study needs

    refuse_links_below(Path.cwd(), options.folder)
    found = collections_in(options.folder, options.model, options.models_file)
    if not found:
        of = f" of {options.model}" if options.model else ""
        raise LLMPrefError(f"{options.folder}: no batch{of} was written down here; give --folder the cassettes' folder")
    return found


def _list(options: argparse.Namespace) -> None:
    print(f"{'model':<32}{'job':<36}{'questions':>10}  {'written (UTC)':<18}state")
    for one in _found(options):
        for job in one.file.jobs.values():
            written = job.written
            state = job.how or ("submitted" if job.id else "written down, perhaps not submitted")
            name = f"{on_one_line(written.model):<32}{on_one_line(job.id or job.token):<36}"
            print(f"{name}{len(written.questions):>10,}  {written.at:%Y-%m-%d %H:%M}  {state}")


def _wait(options: argparse.Namespace) -> None:
    import asyncio  # noqa: PLC0415 - other commands start without it

    for one in _found(options):
        asyncio.run(one.wait(_tell))
        print(on_one_line(f"{one.model}: no batch is under way; collect them by the run that submitted them"))


def _collect(options: argparse.Namespace) -> int:
    import asyncio  # noqa: PLC0415 - as above

    from pytest_llmpref.study.batching import UNDER_WAY  # noqa: PLC0415

    missing = 0
    for one in _found(options):
        recorded, open_ones = asyncio.run(one.collect(_tell))
        missing += open_ones
        print(on_one_line(f"{one.model}: {recorded:,} answers recorded, {open_ones:,} questions not answered yet"))
    return UNDER_WAY if missing else 0


def _cancel(options: argparse.Namespace) -> None:
    import asyncio  # noqa: PLC0415 - as above

    for one in _found(options):
        for job in asyncio.run(one.cancel()):
            print(on_one_line(f"{one.model}: {job.id or job.token}: cancellation asked for"))


def _tell(said: str) -> None:
    print(on_one_line(said), file=sys.stderr)


_ACTIONS = {
    "list": (_list, "list each job and its last known state"),
    "wait": (_wait, "wait until no job is under way"),
    "collect": (_collect, "record what jobs brought that ended; exit with 75 where questions are not answered yet"),
    "cancel": (_cancel, "ask the provider to cancel what is under way; what was answered is kept, and paid"),
}
