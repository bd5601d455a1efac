"""For CI: summary.md, annotations of GitHub Actions, and the job's summary."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap

import msgspec

from pytest_llmpref.characters import in_code, in_markdown, on_one_line
from pytest_llmpref.charts import Names
from pytest_llmpref.claims.verdicts import MARKS, Verdict
from pytest_llmpref.report.claims import gate_of_all
from pytest_llmpref.report.comparison import ComparedModel, compared_model
from pytest_llmpref.report.labels import label_lines
from pytest_llmpref.report.views import ClaimView, ModelView, model_views
from pytest_llmpref.report.wording import WIDTH, control_said, judge_sentence, nothing_asked, short_name, where_it_ended
from pytest_llmpref.results.comparison_record import ComparisonRecord
from pytest_llmpref.results.schema import AbsentGateRecord, Results

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
        if (failures if claim.group.fails else claim.group.verdict is not Verdict.SUPPORTED and not claim.group.note)
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
    says = f" Claimed: {one.says}" if one.says else ""
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


def summary(results: Results) -> str:
    """Return the summary as Markdown: a table of models, then each model's claims, gates first."""
    models = model_views(results, Names(results))
    return "\n".join(_lines(results, models)) + "\n"


def comparison_summary(results: Results, comparison: ComparisonRecord) -> str:
    """Return a comparison as Markdown, as the summary of the new release has it: for a pull request.

    Parameters
    ----------
    results
        Of the new release.
    comparison
        With the last one.
    """
    lines = list(_compared(msgspec.structs.replace(results, comparison=comparison)))
    return "\n".join(lines[1:]) + "\n"


def _lines(results: Results, models: list[ModelView]) -> Iterator[str]:
    state = gate_of_all(model.verdict for model in models)
    yield f"# {f'Gate {state}' if state else 'Verdicts'}: what models like, and what they do"
    yield ""
    yield f"| model | gate | {' | '.join(Verdict)} |"
    yield "|---|---|--:|--:|--:|--:|"
    for model in models:
        counts = (str(model.verdict.counts.get(verdict, 0)) for verdict in Verdict)
        word = model.verdict.word.removeprefix("gate ")
        yield f"| {in_markdown(model.label)} | {word} | {' | '.join(counts)} |"
    yield ""
    run = results.run
    if run.part:
        yield from (*_wrapped(f"Part of the tests ({in_markdown(run.part)})."), "")
    yield from _wrapped(
        f"Profile {in_markdown(run.profile)}, entities {in_markdown(run.entities)}, {in_markdown(run.began)}. "
        "Charts, intervals and transcripts are in report.html beside this file, all figures in results.json."
    )
    yield from _compared(results)
    for model in models:
        yield ""
        yield f"## {in_markdown(model.label)}: {model.verdict.word}"
        yield ""
        yield from _wrapped(in_markdown(model.verdict.sentence))
        if judge := judge_sentence(model.record):
            yield from _wrapped(f"{in_markdown(judge)}.")
        yield from _warnings(results, model)
        for text in label_lines(model.record):
            yield from _wrapped(in_markdown(text.strip()), "  - " if text.startswith(" ") else "- ", "    ")
        for measure, record in model.record.measures.items():
            for remark in record.checks.untestable:
                yield from _wrapped(f"{in_markdown(measure.capitalize())}: {in_markdown(remark)}.", "- ", "  ")
            if ended := where_it_ended(record.checks):
                yield from _wrapped(f"{in_markdown(measure.capitalize())}, {in_markdown(ended)}.")
        titles = {"gates": "Gates", "failed": "Failed", "rest": "Other claims"}
        for part, title in titles.items():
            claims = [claim for claim in model.claims if _part(claim) == part]
            if claims:
                yield from ("", f"**{title}**", "")
                for claim in claims:
                    yield from _wrapped(_line(claim), "- ", "  ")


def _warnings(results: Results, model: ModelView) -> Iterator[str]:
    """Yield why the figures of a model may not be what they seem: its run is a negative control, or asked nothing."""
    run = results.runs.get(model.name, results.run)
    if control := control_said(run.control):
        yield from _wrapped(f"**{control}.**")
    if nothing := nothing_asked(run, model.name, model.record):
        yield from _wrapped(f"**Nothing{nothing.removeprefix('nothing')}.**")


def _compared(results: Results) -> Iterator[str]:
    """Yield what changed since the last release, where the run was compared with one: nothing that is within noise."""
    if (comparison := results.comparison) is None:
        return
    old, names = comparison.old, Names(results)
    baseline = f"`{in_code(comparison.baseline)}`: run" if comparison.baseline else "Run"
    yield from ("", "## Compared with the last release", "")
    yield from _wrapped(
        f"{baseline} of {in_markdown(old.began)}, profile {in_markdown(old.profile)}, entities "
        f"{in_markdown(old.entities)}. {'Something' if comparison.changed else 'Nothing'} changed beyond noise."
    )
    yield ""
    for name, record in comparison.models.items():
        model = compared_model(name, record, names)
        before = f" (last release: {model.old})" if model.old != name else ""
        yield from _wrapped(f"**{in_markdown(model.label + before)}**: {in_markdown(model.sentence)}", "- ", "  ")
        for text in _changes(model):
            yield from _wrapped(in_markdown(text), "  - ", "    ")
    for side, only in (("last release", comparison.old_only), ("new one", comparison.new_only)):
        if only:
            yield from _wrapped(f"models only in the {side}, not compared: {in_markdown(', '.join(only))}", "- ", "  ")
    if not comparison.models:
        yield "- no model is in both, so nothing was compared"


def _changes(model: ComparedModel) -> Iterator[str]:
    for row in model.verdicts:
        gate, whom = " (gate)" if row.gate else "", f" for {row.whom}" if row.whom else ""
        yield f"{'worse' if row.worse else 'better'}: {row.title}{gate}: {row.old}, now {row.new}{whom}"
    for table in model.tables:
        if moved := [row for row in table.rows if row.outcome == "moved"]:
            yield f"{table.caption}: {', '.join(f'{row.what} {row.change}' for row in moved)}"
    yield from model.notes


def _part(claim: ClaimView) -> str:
    return "gates" if claim.group.first.gate else "failed" if claim.group.fails else "rest"


def _line(claim: ClaimView) -> str:
    """Return a claim in one line: its sign, its name, what was found and, unless it is supported, why and where."""
    one = claim.group.first
    found = f"{claim.tally}, {claim.estimate}, claimed {claim.claimed}"
    text = f"{MARKS[claim.group.verdict]} **{in_markdown(claim.group.title)}**: {found}"
    if claim.group.note:
        text += f" ({claim.group.note})"
    if claim.group.verdict is Verdict.SUPPORTED:
        return text
    if claim.reasons:
        text += f"; {in_markdown(claim.reasons[0])}"
    elif claim.named:
        text += f"; not supported for {in_markdown(claim.named)}"
    place = in_code(f"{one.suite}:{one.line}")
    return f"{text} (`{place}`)"


def _wrapped(text: str, first: str = "", then: str = "") -> list[str]:
    return wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=then, break_long_words=False, break_on_hyphens=False
    )
