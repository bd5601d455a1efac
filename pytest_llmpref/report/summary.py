"""summary.md: the verdicts for a CI job's summary, readable as plain text of 80 columns too."""

import re
from collections.abc import Iterator
from textwrap import wrap

from pytest_llmpref.report.charts import Names
from pytest_llmpref.report.claims import MARKS, gate_of_all
from pytest_llmpref.report.diagnostics import where_it_ended
from pytest_llmpref.report.loading import Results
from pytest_llmpref.report.views import ClaimView, ModelView, model_views

WIDTH = 80
_MARKUP = re.compile(r"([\\`*_\[\]<>#|~&$@])")


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
        yield f"| {plain(model.label)} | {word} | {' | '.join(counts)} |"
    yield ""
    yield from _wrapped(
        f"Profile {plain(results.run.profile)}, entities {plain(results.run.entities)}, {plain(results.run.began)}. "
        "Charts, intervals and transcripts are in report.html beside this file, all figures in results.json."
    )
    for model in models:
        yield ""
        yield f"## {plain(model.label)}: {model.verdict.word}"
        yield ""
        yield from _wrapped(plain(model.verdict.sentence))
        for measure, record in model.record.measures.items():
            if ended := where_it_ended(record.diagnostics):
                yield from _wrapped(f"{measure.capitalize()}, {plain(ended)}.")
        titles = {"gates": "Gates", "failed": "Refuted", "rest": "Other claims"}
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
    text = f"{MARKS[claim.group.verdict]} **{plain(claim.group.title)}**: {found}"
    if one.exploratory:
        text += " (exploratory)"
    if claim.group.verdict == "supported":
        return text
    if claim.reasons:
        text += f"; {plain(claim.reasons[0])}"
    elif claim.named:
        text += f"; not supported for {plain(claim.named)}"
    place = f"{one.suite}:{one.line}".replace("`", "")
    return f"{text} (`{place}`)"


def plain(text: str) -> str:
    """Return text as Markdown that shows it as it is, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _wrapped(text: str, first: str = "", then: str = "") -> list[str]:
    return wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=then, break_long_words=False, break_on_hyphens=False
    )
