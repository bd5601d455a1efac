"""``llmpref calibrate``: simulates studies with planted truths, and counts how often verdicts are right."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

STUDIES = 2000


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    what = "simulate studies with planted truths and count right verdicts"
    command = commands.add_parser(
        "calibrate",
        help=what,
        description=f"{what.capitalize()}. A run that was interrupted goes on where it stopped.",
    )
    command.add_argument(
        "--studies",
        type=int,
        default=STUDIES,
        metavar="N",
        help="maximum number of studies per cell (default: %(default)s)",
    )
    command.add_argument("--cells", metavar="PATTERN", help="only cells whose name matches, such as 'advice/*'")
    command.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="number of processes (default: one per core)",
    )
    command.add_argument("--seed", type=int, default=0, help="random seed of all studies (default: %(default)s)")
    command.add_argument(
        "--results",
        type=Path,
        default=Path("calibration.jsonl"),
        help="file for finished studies, from which a run resumes (default: %(default)s)",
    )
    command.add_argument(
        "--report",
        type=Path,
        default=Path("reports"),
        help="folder for calibration.md and calibration.json (default: %(default)s)",
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from pytest_llmpref.calibration.findings import CalibrationError, matching  # noqa: PLC0415 - only here  # noqa: PLC0415
    from pytest_llmpref.calibration.running import Chunk, calibrate  # noqa: PLC0415 - only here  # noqa: PLC0415
    from pytest_llmpref.calibration.table import write  # noqa: PLC0415
    from pytest_llmpref.report.progress import progress_bar  # noqa: PLC0415
    from pytest_llmpref.study.extensions import register_installed  # noqa: PLC0415

    for name in ("studies", "workers"):
        if getattr(options, name) < 1:
            raise CalibrationError(f"--{name} {getattr(options, name)}: it must be at least 1")
    register_installed()
    cells = matching(options.cells)
    bar = progress_bar("calibrating", len(cells) * options.studies, "study")

    def show(chunk: Chunk) -> None:
        bar.set_postfix_str(chunk.cell, refresh=False)
        bar.update(chunk.studies)

    try:
        found = calibrate(
            cells,
            studies=options.studies,
            seed=options.seed,
            workers=options.workers,
            results=options.results,
            on_done=show,
        )
    except KeyboardInterrupt:
        bar.close()
        print(f"{options.results}: holds what was finished; the same command goes on from there", file=sys.stderr)
        raise
    finally:
        bar.close()
    command = f"llmpref calibrate --studies {options.studies} --seed {options.seed}"
    command += f" --cells '{options.cells}'" if options.cells else ""
    missed = write(found, options.report, command)
    print(f"{options.report / 'calibration.md'}: written; {missed} of its rows miss a target")
