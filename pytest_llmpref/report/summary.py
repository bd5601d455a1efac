"""summary.md: the verdicts for a CI job's summary, readable as plain text of 80 columns too."""

from collections.abc import Iterator
from textwrap import wrap

from pytest_llmpref.charts.drawing import Names
from pytest_llmpref.claims.verdict import MARKS
from pytest_llmpref.escaping import in_code, in_markdown
from pytest_llmpref.report.claims import gate_of_all
from pytest_llmpref.report.compared import ComparedModel, compared_model
from pytest_llmpref.report.views import ClaimView, ModelView, model_views
from pytest_llmpref.results.diagnostics import where_it_ended
from pytest_llmpref.results.loading import Results

WIDTH = 80


def summary(results: Results) -> str:
    """Return the summary as Markdown: a table of models, then each model's claims, gates first."""
    models = model_views(results, Names(results))
    return "\n".join(_lines(results, models)) + "\n"


def _lines(results: Results, models: list[ModelView]) -> Iterator[str]:
    state = gate_of_all(model.verdict for model in models)
    yield f"# {f'Gate {state}' if state else 'Verdicts'}: what models like, and what they do"
    yield ""
    yield "| model | gate | supported | refuted | inconclusive | invalid |"
    yield "|---|---|--:|--:|--:|--:|"
    for model in models:
        counts = (str(model.verdict.counts.get(name, 0)) for name in MARKS)
        word = model.verdict.word.removeprefix("gate ")
        yield f"| {in_markdown(model.label)} | {word} | {' | '.join(counts)} |"
    yield ""
    run = results.run
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
        for measure, record in model.record.measures.items():
            if ended := where_it_ended(record.diagnostics):
                yield from _wrapped(f"{in_markdown(measure.capitalize())}, {in_markdown(ended)}.")
        titles = {"gates": "Gates", "failed": "Failed", "rest": "Other claims"}
        for part, title in titles.items():
            claims = [claim for claim in model.claims if _part(claim) == part]
            if claims:
                yield from ("", f"**{title}**", "")
                for claim in claims:
                    yield from _wrapped(_line(claim), "- ", "  ")


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
    if claim.group.verdict == "supported":
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
