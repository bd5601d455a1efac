"""summary.md: the verdicts for a CI job's summary, readable as plain text of 80 columns too."""

from collections.abc import Iterator
from textwrap import wrap

from pytest_llmpref.escaping import in_code, in_markdown
from pytest_llmpref.report.charts import Names
from pytest_llmpref.report.claims import MARKS, gate_of_all
from pytest_llmpref.report.diagnostics import where_it_ended
from pytest_llmpref.report.loading import Results
from pytest_llmpref.report.views import ClaimView, ModelView, model_views

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
