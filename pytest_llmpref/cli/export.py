"""``llmpref export``: results for the tools in which others analyse."""

import argparse
from pathlib import Path
from typing import Any

from pytest_llmpref.files import refuse_links_below


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    what = "write trials, measures and claims as CSV, Parquet or Inspect logs"
    command = commands.add_parser("export", help=what, description=f"{what[0].upper()}{what[1:]}.")
    command.add_argument("files", type=Path, nargs="+", metavar="FILE", help="results.json of a run, or of several")
    command.add_argument("--format", choices=("csv", "parquet", "inspect"), required=True, help="output format")
    command.add_argument("--output", type=Path, help="folder to write to (default: export, beside the first file)")
    command.add_argument(
        "--folder",
        type=Path,
        default=Path("cassettes"),
        help="folder of the cassettes, for whole transcripts in Inspect logs (default: %(default)s)",
    )
    command.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> None:
    from pytest_llmpref.characters import on_one_line  # noqa: PLC0415 - only this command needs them
    from pytest_llmpref.export import tables  # noqa: PLC0415
    from pytest_llmpref.results.loading import load_results, merged  # noqa: PLC0415

    results = merged({path: load_results(path) for path in options.files})
    folder = options.output or options.files[0].parent / "export"
    refuse_links_below(Path.cwd(), folder, options.folder)
    if options.format == "inspect":
        written = _inspect(results, folder, options.folder)
    else:
        written = {"csv": tables.write_csv, "parquet": tables.write_parquet}[options.format](results, folder)
    for path in written:
        print(on_one_line(str(path)))


def _inspect(results: Any, folder: Path, cassettes: Path) -> list[Path]:  # noqa: ANN401 - Results, loaded when needed
    from pytest_llmpref.export.records import transcripts  # noqa: PLC0415 - as above
    from pytest_llmpref.export.tables import ExportError  # noqa: PLC0415

    try:
        from pytest_llmpref.export.inspect_log import write_logs  # noqa: PLC0415
    except ImportError as error:
        raise ExportError(f'Inspect logs need inspect-ai ({error}): pip install "pytest-llmpref[agentic]"') from None
    folder.mkdir(parents=True, exist_ok=True)
    return write_logs(results, folder, {model: transcripts(cassettes, model) for model in results.models})
