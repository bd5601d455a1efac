"""GitHub Actions: annotations of closed gates and undecided claims, and the job's summary."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_llmpref.report.charts import Names
from pytest_llmpref.report.loading import Results
from pytest_llmpref.report.views import ClaimView, ModelView, model_views

SUMMARY_LIMIT = 1_000_000
"""Bytes that GitHub takes as a step's summary; it drops a longer one."""


def annotations(results: Results, root: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield workflow commands, those of closed gates first; none outside GitHub Actions.

    A closed gate and a refuted claim are an error, an undecided claim is a warning; claims about entities share one.

    Parameters
    ----------
    results
        The results.
    root
        Folder to which the tests' files are relative.
    environment
        ``GITHUB_ACTIONS`` and ``GITHUB_WORKSPACE``, as GitHub sets them.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    shown = [
        (claim, model)
        for model in model_views(results, Names(results))
        for claim in model.claims
        if claim.group.fails or (claim.group.verdict != "supported" and not claim.group.first.exploratory)
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


def _command(claim: ClaimView, model: ModelView, root: Path, environment: Mapping[str, str]) -> str:
    one = claim.group.first
    file = root / one.suite
    workspace = environment.get("GITHUB_WORKSPACE")
    if workspace and file.is_relative_to(workspace):
        file = file.relative_to(workspace)
    what = "Gate closed" if one.gate and claim.group.fails else claim.group.verdict.capitalize()
    properties = {"file": file.as_posix(), "line": str(max(one.line, 1)), "title": f"{what}: {claim.group.title}"}
    named = f" Not supported for {claim.named}." if claim.named else ""
    says = f" {one.says}" if one.says else ""
    message = f"{model.label}: {claim.why}.{named}{says}"
    level = "error" if claim.group.fails else "warning"
    return f"::{level} {','.join(f'{name}={_property(value)}' for name, value in properties.items())}::{_data(message)}"


def _data(text: str) -> str:
    """Escape a message (actions/toolkit, command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
