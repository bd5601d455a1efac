"""The last screen of a run, in 80 columns: measures, claims, problems by root cause, and the gate in the last line."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from pytest_llmpref.claims.verdict import COLOURS, LETTERS
from pytest_llmpref.escaping import on_one_line
from pytest_llmpref.experiments.registry import behaviour_of
from pytest_llmpref.report.claims import ClaimGroup, claimed, gate_sentences, grouped, interval, judge, percent, plural
from pytest_llmpref.report.problems import causes_of, problems_of, undecided
from pytest_llmpref.results.diagnostics import where_it_ended
from pytest_llmpref.results.gate_record import GateRecord
from pytest_llmpref.results.loading import ClaimRecord, MeasureRecord, ModelRecord, Results

WIDTH = 80
UNDECIDED_SHOWN = 5
"""How many undecided tests say what would decide them; -v shows all."""

Line = tuple[str, dict[str, bool]]
"""Text and pytest's markup."""


def show_results(reporter: Any, results: Results, verbosity: int) -> None:  # noqa: ANN401 - pytest's, private
    """Write what was found of each model through pytest's terminal reporter.

    ``verbosity`` is pytest's: below 0 only what went wrong is shown, above 0 every claim is explained.
    """
    for name, model in results.models.items():
        label = on_one_line(f"{name} (simulated)" if model.simulated else name)
        reporter.section(f"llmpref: {label}, profile {results.run.profile}", sep="=", bold=True)
        if results.run.control != "none":
            reporter.write_line(
                f"CONTROL ({results.run.control}): relations between measures may appear by chance alone", bold=True
            )
        for text, markup in model_lines(model, verbosity):
            reporter.write_line(for_terminal(text), **markup)


def model_lines(model: ModelRecord, verbosity: int) -> Iterator[Line]:
    """Yield what is shown of one model."""
    groups = grouped(model.claims)
    problems = problems_of(model, groups)
    numbers = {cause: number for number, cause in enumerate(problems, start=1)}
    if verbosity >= 0:
        yield from ((line, {}) for line in measure_lines(model.measures, numbers))
        yield from claim_lines(model, groups, numbers)
    yield from _problem_lines(model, groups, numbers, verbosity)
    if verbosity > 0:
        for claim in model.claims:
            if claim.verdict != "supported":
                lines = ("", claim.nodeid, *claim.explanation.splitlines())
                yield from ((line, COLOURS[claim.verdict]) for line in lines)


def measure_lines(measures: Mapping[str, MeasureRecord], numbers: Mapping[str, int]) -> Iterator[str]:
    """Yield the table of measures.

    Its columns: trials, coverage, split-half reliability, standard deviation of the entities' Elo, share of the option
    shown first and of label A, share of pairs decided alike in both orders, how answers were read, and validity.
    ``numbers`` refers an invalid measure to its problem.
    """
    if not measures:
        return
    heads = f"{'measure':<16}{'trials':>7}{'covered':>8}{'reliab.':>8}{'Elo SD':>7}{'first':>6}{'A':>5}{'alike':>6}"
    yield f"{heads} {'answers':<9}valid"
    for name, measure in measures.items():
        checks = measure.diagnostics
        reliability = (checks.get("reliability") or {}).get("value")
        number = f" [{numbers[name]}]" if name in numbers else ""
        yield (
            f"{name:<16}{checks['trials']:>7}{checks['coverage']:>8.1%}"
            f"{'-' if reliability is None else f'{reliability:.2f}':>8}{_points(checks.get('elo_sd')):>7}"
            f"{_share(checks.get('position_bias')):>6}{_share(checks.get('label_bias')):>5}"
            f"{_share(checks.get('decided_pairs')):>6}"
            f" {_answers(checks['answered_by']):<9}{'yes' if measure.valid else f'NO{number}'}"
        )
        for remark in behaviour_of(name).remarks(checks):
            yield from _indented(remark)
        yield from _indented(where_it_ended(checks))


def claim_lines(model: ModelRecord, groups: Sequence[ClaimGroup], numbers: Mapping[str, int]) -> Iterator[Line]:
    """Yield a line for each claim, in the order of the files; those that one test makes for each entity share one."""
    suite = ""
    for group in groups:
        if group.first.suite != suite:
            suite = group.first.suite
            yield suite, {"bold": True}
        found = _found(group)
        if group.verdict == "invalid":
            first = next(claim for claim in group.claims if claim.verdict == "invalid")
            found += "".join(f" [{numbers[cause]}]" for cause in causes_of(first, model.measures))
        mark = _mark(group)
        width = WIDTH - len(" + ") - len(" ") - len(found)
        name, room = group.first.function.removeprefix("test_"), width - len(mark)
        name = name if len(name) <= room else f"{name[: room - 2]}.."
        yield f" {LETTERS[group.verdict]} {name + mark:<{width}} {found}", COLOURS[group.verdict]


def last_lines(results: Results, folder: Path, verbosity: int) -> Iterator[Line]:
    """Yield what ends the screen: the legend, what decided nothing, where the rest is, and last the gate."""
    verdicts = {name: judge(model) for name, model in results.models.items()}
    groups = [group for verdict in verdicts.values() for group in verdict.groups]
    if verbosity >= 0:
        yield "", {}
        yield from ((line, {}) for line in _legend(groups))
    if nothing := _decided_nothing(results):
        yield from ((line, {"yellow": True}) for line in wrap(nothing, WIDTH, break_on_hyphens=False))
    if verbosity >= 0:
        yield f"report   {short_path(folder / 'report.html')}", {}
    yield f"results  {short_path(folder / 'results.json')}", {}
    if len(verdicts) > 1:
        for name, verdict in verdicts.items():
            if verdict.gate is not None:
                yield from gate_lines(verdict.gate, f"{name}: ")
    if (state := results.gate) is not None:
        yield from gate_lines(state)


def _decided_nothing(results: Results) -> str:
    """Say how many tests decided nothing, and whether they fail; empty where none did."""
    tests: dict[tuple[str, str], list[ClaimRecord]] = {}
    for name, model in results.models.items():
        for claim in model.claims:
            tests.setdefault((name, claim.nodeid), []).append(claim)
    groups = map(ClaimGroup, map(tuple, tests.values()))
    undecided = [group for group in groups if group.verdict in {"inconclusive", "invalid"}]
    if not undecided:
        return ""
    counts = Counter(group.verdict for group in undecided)
    failing = sum(group.fails for group in undecided)
    spared = sum(not group.fails and not group.note for group in undecided)
    text = (
        f"{len(undecided)} of {plural(len(tests), 'test')} decided nothing ({counts['inconclusive']} inconclusive, "
        f"{counts['invalid']} invalid)"
    )
    if failing:
        text += f"; {_of_them(failing, len(undecided))} failed"
    if spared:
        text += f"; --llmpref-strict makes {f'{spared} more' if failing else _of_them(spared, len(undecided))} fail"
    return text


def _of_them(count: int, all_of_them: int) -> str:
    if count < all_of_them:
        return f"{count} of them"
    return "it" if count == 1 else "all of them"


def gate_lines(gate: GateRecord, before: str = "") -> Iterator[Line]:
    """Yield the state of a gate, in as many lines as it takes."""
    text = f"{before}GATE {gate.state.upper()}: {' '.join(gate_sentences(gate)).removesuffix('.')}"
    for line in wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False):
        yield line, _gate_markup(gate.state)


def _gate_markup(state: str) -> dict[str, bool]:
    colour = {"open": "green", "closed": "red"}.get(state, "yellow")
    return {"bold": True, colour: True}


def for_terminal(text: str) -> str:
    """Return a line that every terminal can show, and in which nothing foreign speaks to it."""
    return on_one_line(text).replace("\u2212", "-").replace("\u2013", "-").replace("\u00b1", "+-")


def _found(group: ClaimGroup) -> str:
    """Return what was found: value, interval and threshold; or how many entities have which verdict."""
    claim = group.first
    if group.by_entity:
        if len(group.counts) == 1:
            return f"all {plural(group.entities, 'entity', 'entities')} {group.verdict}"
        return ", ".join(f"{count} {verdict}" for verdict, count in group.counts.items())
    return f"{interval(claim)}, {claimed(claim)}"


def _mark(group: ClaimGroup) -> str:
    if group.note:
        return f" [{group.note}]"
    if not group.first.gate:
        return ""
    chance = group.reproducibility
    return " [gate]" if chance is None else f" [gate, {percent(chance)}]"


def _problem_lines(
    model: ModelRecord, groups: Sequence[ClaimGroup], numbers: Mapping[str, int], verbosity: int
) -> Iterator[Line]:
    advised: dict[str, str] = {}
    for cause, problem in problems_of(model, groups).items():
        number = f"[{numbers[cause]}] "
        details = problem.details if verbosity >= 0 else ()
        yield from _wrapped(number + problem.title, COLOURS["invalid"], then=" " * len(number))
        to_do = f"as for {advised[problem.to_do]}" if problem.to_do in advised else problem.to_do
        if problem.to_do:
            advised.setdefault(problem.to_do, number.strip())
        for text in (*details, *([f"to do: {to_do}"] if to_do else [])):
            yield from _wrapped(" " * len(number) + text, {}, then=" " * (len(number) + 2))
    shown = undecided(groups)
    most = len(shown) if verbosity > 0 else UNDECIDED_SHOWN
    for group, to_decide in shown[:most]:
        count = f" ({group.counts['inconclusive']} of {group.entities} entities)" if group.by_entity else ""
        text = f"? {group.first.function.removeprefix('test_')}{count}: {to_decide or 'nothing is known to decide it'}"
        yield from _wrapped(text, COLOURS["inconclusive"], then="    ")
    if len(shown) > most:
        yield f"? and {len(shown) - most} more inconclusive; -v shows all", COLOURS["inconclusive"]


def _legend(groups: Sequence[ClaimGroup]) -> Iterator[str]:
    """Yield what the letters mean, of those that occur, and what stands beside a gate."""
    present = {verdict for group in groups for verdict in group.counts}
    letters = ", ".join(f"{letter} {name}" for name, letter in LETTERS.items() if name in present)
    yield from wrap(f"{letters}{': the measurement failed its checks' if 'invalid' in present else ''}", WIDTH)
    if any(group.first.gate and group.reproducibility is not None for group in groups):
        yield "[gate, 93%]: chance that a repetition of the study gives the same verdict"


def _wrapped(text: str, markup: dict[str, bool], then: str) -> Iterator[Line]:
    for line in wrap(text, WIDTH, subsequent_indent=then, break_on_hyphens=False):
        yield line, markup


def _indented(text: str) -> Iterator[str]:
    yield from wrap(text, WIDTH, initial_indent="    ", subsequent_indent="      ")


def _answers(answered_by: Mapping[str, int]) -> str:
    """Return how answers were read: the way of all of them but a twentieth, or ``mixed``."""
    most = max(answered_by, key=answered_by.__getitem__, default="-")
    return most if 20 * answered_by.get(most, 0) >= 19 * sum(answered_by.values()) else "mixed"


def _points(elo: float | None) -> str:
    return "-" if elo is None else f"{elo:.0f}"


def _share(estimate: Mapping[str, Any] | None) -> str:
    return "-" if estimate is None or estimate["value"] is None else f"{estimate['value']:.0%}"


def short_path(path: Path) -> str:
    """Return a path relative to the present folder, where it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
