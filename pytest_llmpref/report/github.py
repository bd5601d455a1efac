"""GitHub Actions: annotations of gates that are closed or did not run and of undecided claims; the job's summary."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_llmpref.charts.drawing import Names
from pytest_llmpref.escaping import on_one_line
from pytest_llmpref.report.claims import short_name
from pytest_llmpref.report.views import ClaimView, ModelView, model_views
from pytest_llmpref.results.gate_record import AbsentGateRecord
from pytest_llmpref.results.loading import Results

SUMMARY_LIMIT = 1_000_000
"""Bytes that GitHub takes as a step's summary; it drops a longer one."""


ANNOTATES_FAILURES = "pytest-github-actions-annotate-failures"
"""Distribution of a plugin that annotates every failed test."""


def annotations(
    results: Results, root: Path, environment: Mapping[str, str], *, failures: bool = True
) -> Iterator[str]:
    """Yield workflow commands: of gates that did not run, of closed gates, of the rest; none outside GitHub Actions.

    A gate that did not run and a claim that fails are an error; a claim that decided nothing, and does not fail, is a
    warning. Exploratory claims and those that are expected to fail get none. Claims about entities share one.

    Parameters
    ----------
    results
        The results.
    root
        Folder to which the tests' files are relative.
    environment
        ``GITHUB_ACTIONS`` and ``GITHUB_WORKSPACE``, as GitHub sets them.
    failures
        Whether failed tests are annotated; otherwise another plugin does so.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    for absent in results.gate.not_run if results.gate is not None else ():
        yield _of_absent(absent, root, environment)
    shown = [
        (claim, model)
        for model in model_views(results, Names(results))
        for claim in model.claims
        if (failures if claim.group.fails else claim.group.verdict != "supported" and not claim.group.note)
    ]
    for claim, model in sorted(shown, key=lambda one: (not one[0].group.fails, not one[0].group.first.gate)):
        yield _command(claim, model, root, environment)


def append_summary(text: str, environment: Mapping[str, str]) -> None:
    """Append the summary to the job's, where GitHub Actions asks for one; a part of it if it is too long."""
    if path := environment.get("GITHUB_STEP_SUMMARY"):
        content = text.encode()
        if len(content) > SUMMARY_LIMIT:
            content = content[:SUMMARY_LIMIT].rsplit(b"\n", 1)[0] + b"\n\nThe rest is in summary.md.\n"
        with Path(path).open("ab") as file:
            file.write(content)


def _of_absent(absent: AbsentGateRecord, root: Path, environment: Mapping[str, str]) -> str:
    suite, separator, _ = absent.gate.partition("::")
    place = {"file": _file(suite, root, environment)} if separator else {}
    where = f"{absent.model}: " if absent.model else ""
    count = f" for {absent.tests} entities" if absent.tests > 1 else ""
    return _annotation(
        "error",
        {**place, "title": f"Gate incomplete: {short_name(absent.gate)}"},
        f"{where}it did not run{count} ({absent.reason})",
    )


def _command(claim: ClaimView, model: ModelView, root: Path, environment: Mapping[str, str]) -> str:
    one = claim.group.first
    what = "Gate closed" if one.gate and claim.group.fails else claim.group.verdict.capitalize()
    file = _file(one.suite, root, environment)
    properties = {"file": file, "line": str(max(one.line, 1)), "title": f"{what}: {claim.group.title}"}
    named = f" Not supported for {claim.named}." if claim.named else ""
    says = f" {one.says}" if one.says else ""
    message = f"{model.label}: {claim.why}.{named}{says}"
    return _annotation("error" if claim.group.fails else "warning", properties, message)


def _file(suite: str, root: Path, environment: Mapping[str, str]) -> str:
    """Return a test file as GitHub names it: relative to the workspace."""
    file = root / suite
    workspace = environment.get("GITHUB_WORKSPACE")
    if workspace and file.is_relative_to(workspace):
        file = file.relative_to(workspace)
    return file.as_posix()


def _annotation(level: str, properties: Mapping[str, str], message: str) -> str:
    return f"::{level} {','.join(f'{name}={_property(value)}' for name, value in properties.items())}::{_data(message)}"


def _data(text: str) -> str:
    """Escape a message (actions/toolkit, command.ts)."""
    return on_one_line(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
