"""``llmpref certify`` and ``verify``: what a study will ask and claim, and whether it still holds."""

import argparse
from pathlib import Path
from typing import Any

STATUS = "exit status: 0 if everything is as certified, 1 if something changed or cannot be compared"


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommands."""
    command = commands.add_parser(
        "certify",
        help="write a certificate of what a study asks, claims and found",
        description="Write a certificate of a study. With --plan, before recording, it holds entities, questions, "
        "profile, policy, tests, families and thresholds. Without --plan, it also holds recordings and verdicts; the "
        "study is replayed, and nothing is asked.",
        epilog="example: llmpref certify --plan plan.json suites/replication --model openai/gpt-4.1-nano",
    )
    command.add_argument("--plan", action="store_true", help="certify what will be asked and claimed, before recording")
    command.add_argument("file", type=Path, metavar="CERTIFICATE", help="the file to write")
    command.add_argument("pytest", nargs=argparse.REMAINDER, metavar="...", help="tests, --model and other options")
    command.set_defaults(run=_certify)
    command = commands.add_parser(
        "verify",
        help="check a certificate, and name what changed since",
        description="Replay the certified study, and name what changed since. Run it in the folder in which the "
        "certificate was made.",
        epilog=STATUS,
    )
    command.add_argument("file", type=Path, metavar="CERTIFICATE", help="what llmpref certify wrote")
    command.set_defaults(run=_verify)


def _certify(options: argparse.Namespace) -> None:
    from pytest_llmpref.characters import on_one_line  # noqa: PLC0415 - only these commands need them
    from pytest_llmpref.files import write_whole  # noqa: PLC0415
    from pytest_llmpref.plugin.certifying import certified  # noqa: PLC0415
    from pytest_llmpref.study.certificate import BEFORE, CertificateError, encoded  # noqa: PLC0415

    found = certified(options.pytest, plan=options.plan)
    try:
        write_whole(options.file, encoded(found), f"{options.file.name}.part")
    except OSError as error:
        raise CertificateError(f"{options.file}: cannot be written ({error.strerror or error})") from None
    for model, before in found.get(BEFORE, {}).items():
        print(on_one_line(f"{model}: {before['answers']:,} of {before['of']:,} answers are already recorded"))
    print(f"{options.file}: certified {'what will be asked and claimed' if options.plan else 'with its verdicts'}")


def _verify(options: argparse.Namespace) -> int:
    from pytest_llmpref.characters import on_one_line  # noqa: PLC0415 - as above
    from pytest_llmpref.plugin.certifying import verified, words_of  # noqa: PLC0415
    from pytest_llmpref.study.certificate import CertificateError, load  # noqa: PLC0415

    known = load(options.file)
    try:
        found = verified(known, words_of(known, Path.cwd()))
    except CertificateError as error:
        raise CertificateError(f"{options.file}: {error}") from None
    for line in found.changed:
        print(on_one_line(f"changed: {line}"))
    if known.get("version") != found.version:
        print(on_one_line(f"certified by pytest-llmpref {known.get('version')}, verified by {found.version}"))
    if found.unreplayed:
        print(on_one_line(f"{options.file}: {found.unreplayed}"))
    print(on_one_line(f"{options.file}: {f'{len(found.changed)} CHANGED' if found.changed else 'verified'}"))
    return int(bool(found.changed))
