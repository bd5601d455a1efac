"""The last screen of a run, in 80 columns: measures, claims, problems by root cause, and the gate in the last line.

What went wrong is shown by root cause: each cause once, with the claims that it spoils and what to do about it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_llmpref.characters import on_one_line
from pytest_llmpref.claims.verdicts import COLOURS, LETTERS, Verdict
from pytest_llmpref.experiments.registry import behaviour_of
from pytest_llmpref.report.claims import (
    ClaimGroup,
    claimed,
    gate_sentences,
    grouped,
    interval,
    judge,
)
from pytest_llmpref.report.labels import label_lines
from pytest_llmpref.report.problems import causes_of, problems_of
from pytest_llmpref.report.undecided import early_ends, said_of, to_decide, undecided
from pytest_llmpref.report.wording import (
    WIDTH,
    across_formats,
    control_said,
    for_terminal,
    judge_sentence,
    labelled,
    nothing_asked,
    percent,
    plural,
    share,
    short_path,
    where_it_ended,
    wrapped,
)
from pytest_llmpref.results.diagnostics import AnsweredBy
from pytest_llmpref.results.measure_record import MeasureRecord
from pytest_llmpref.results.schema import ClaimRecord, GateRecord, ModelRecord, Results

UNDECIDED_SHOWN = 5
"""How many undecided tests say what would decide them; -v shows all."""

Line = tuple[str, dict[str, bool]]
"""Text and pytest's markup."""


def show_results(reporter: Any, results: Results, verbosity: int) -> None:  # noqa: ANN401 - pytest's, private
    """Write what was found of each model through pytest's terminal reporter.

    ``verbosity`` is pytest's: below 0 only what went wrong is shown, above 0 every claim is explained.
    """
    # pytest has ended the line of progress. Unless told so, its `write_line` ends it again, below the first heading.
    reporter.currentfspath = None
    for name, model in results.models.items():
        plain, label = on_one_line(name), on_one_line(labelled(name, model))
        fits = len(label) + len(results.run.profile) <= WIDTH - len("= llmpref: , profile  =")
        shown = label if fits else plain
        reporter.section(f"llmpref: {shown}, profile {results.run.profile}", sep="=", bold=True)
        if shown != label:
            reporter.write_line(label, bold=True)
        write_text(reporter, control_said(results.run.control), bold=True)
        if nothing := nothing_asked(results.run, name, model):
            for line in wrapped(nothing):
                reporter.write_line(for_terminal(line), yellow=True, bold=True)
        for text, markup in model_lines(model, verbosity):
            reporter.write_line(for_terminal(text), **markup)


def write_text(reporter: Any, text: str, **markup: bool) -> None:  # noqa: ANN401 - as above
    """Write a text whose lines may be long. A path stays whole, and an indented line, which may be a command."""
    for line in text.splitlines():
        for part in [line] if line.startswith(" ") else wrapped(line, then="  ", whole=True):
            reporter.write_line(for_terminal(part), **markup)


def model_lines(model: ModelRecord, verbosity: int) -> Iterator[Line]:
    """Yield what is shown of one model."""
    groups = grouped(model.claims)
    problems = problems_of(model, groups)
    numbers = {cause: number for number, cause in enumerate(problems, start=1)}
    if verbosity >= 0:
        if model.provenance:
            yield from ((line, {}) for line in wrapped(f"answers: {model.provenance}"))
        yield from ((line, {}) for line in measure_lines(model.measures, numbers))
        yield from ((line, {}) for line in wrapped(judge_sentence(model), "  ", "    "))
        yield from ((line, {}) for text in label_lines(model) for line in wrapped(text, "  ", "      "))
        yield from claim_lines(model, groups, numbers)
    yield from _problem_lines(model, groups, numbers, verbosity)
    if verbosity > 0:
        for claim in model.claims:
            if claim.verdict is not Verdict.SUPPORTED:
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
        checks = measure.checks
        reliability = None if checks.reliability is None else checks.reliability.value
        number = f" [{numbers[name]}]" if name in numbers else ""
        yield (
            f"{name:<16}{checks.trials:>7}{checks.coverage:>8.1%}"
            f"{'-' if reliability is None else f'{reliability:.2f}':>8}"
            f"{'-' if checks.elo_sd is None else f'{checks.elo_sd:.0f}':>7}"
            f"{share(checks.position_bias, 0):>6}{share(checks.label_bias, 0):>5}{share(checks.decided_pairs, 0):>6}"
            f" {_answers(checks.answered_by):<9}{'yes' if measure.valid else f'NO{number}'}"
        )
        for remark in (across_formats(measure), *behaviour_of(name).remarks(measure.diagnostics)):
            yield from wrapped(remark, "    ", "      ")
        for untestable in checks.untestable:
            yield from wrapped(untestable, "    ", "      ")
        yield from wrapped(where_it_ended(checks), "    ", "      ")


def claim_lines(model: ModelRecord, groups: Sequence[ClaimGroup], numbers: Mapping[str, int]) -> Iterator[Line]:
    """Yield a line for each claim, in the order of the files; those that one test makes for each entity share one.

    The head says once at which level most intervals are; those at another level say so themselves.
    """
    levels = Counter(group.first.estimate.level for group in groups if _shows_interval(group))
    usual = levels.most_common(1)[0][0] if levels else None
    if usual is not None:
        shown = f"at {_level(usual)}" if len(levels) == 1 else f"at {_level(usual)}, or as shown"
        yield f"claims: value (interval {shown}), and what is claimed", {}
    suite = ""
    for group in groups:
        if group.first.suite != suite:
            suite = group.first.suite
            yield suite, {"bold": True}
        found = _found(group, usual)
        if group.verdict is Verdict.INVALID:
            first = next(claim for claim in group.claims if claim.verdict is Verdict.INVALID)
            found += "".join(f" [{numbers[cause]}]" for cause in causes_of(first, model.measures))
        mark = _mark(group)
        # As the terminal has it, which writes one sign with two characters.
        found = found.replace("\u00b1", "+-")
        width = WIDTH - len(" + ") - len(" ") - len(found)
        name, room = group.first.function.removeprefix("test_"), width - len(mark)
        name = name if len(name) <= room else f"{name[: room - 2]}.."
        yield f" {LETTERS[group.verdict]} {name + mark:<{width}} {found}", COLOURS[group.verdict]


def last_lines(results: Results, folder: Path, full: str, verbosity: int) -> Iterator[Line]:
    """Yield what ends the screen: the legend, what decided nothing, where the rest is, and last the gate.

    Parameters
    ----------
    results, folder
        The results, and the folder of their files.
    full
        When the full run began that ``latest`` keeps, where this run is a part; empty elsewhere.
    verbosity
        pytest's.
    """
    verdicts = {name: judge(model) for name, model in results.models.items()}
    groups = [group for verdict in verdicts.values() for group in verdict.groups]
    if verbosity >= 0:
        yield from ((line, {}) for line in _legend(groups))
    if nothing := _decided_nothing(results):
        yield from ((line, {"yellow": True}) for line in wrapped(nothing))
    shown = {"report": "report.html", "results": "results.json"} if verbosity >= 0 else {"results": "results.json"}
    for word, name in shown.items():
        # What could not be written, as to a full disk, is not there, and the run says so itself.
        if (folder / name).is_file():
            yield f"{word:<7}  {short_path(folder / name)}", {}
    if results.run.part:
        keeps = f": {short_path(folder.with_name('latest'))} keeps the full run of {full}" if full else ""
        yield from _lines(f"PART OF THE TESTS ({results.run.part}){keeps}", {"yellow": True}, then="  ")
    for name, model in results.models.items():
        before = f"{name}: " if len(verdicts) > 1 else ""
        for end in early_ends(model.measures):
            yield from _lines(f"{before}{said_of(end)}", {"yellow": True}, then="  ")
    if len(verdicts) > 1:
        for name, verdict in verdicts.items():
            if verdict.gate is not None:
                yield from gate_lines(verdict.gate, f"{name}: ")
    if (state := results.gate) is not None:
        yield from gate_lines(state)


def _decided_nothing(results: Results) -> str:
    """Say how many tests decided nothing, and whether they fail; empty if none did."""
    tests: dict[tuple[str, str], list[ClaimRecord]] = {}
    for name, model in results.models.items():
        for claim in model.claims:
            tests.setdefault((name, claim.nodeid), []).append(claim)
    groups = map(ClaimGroup, map(tuple, tests.values()))
    undecided = [group for group in groups if group.verdict in {Verdict.INCONCLUSIVE, Verdict.INVALID}]
    if not undecided:
        return ""
    counts = Counter(group.verdict for group in undecided)
    failing = sum(group.fails for group in undecided)
    spared = sum(not group.fails and not group.note for group in undecided)
    text = (
        f"{len(undecided)} of {plural(len(tests), 'test')} decided nothing "
        f"({counts[Verdict.INCONCLUSIVE]} inconclusive, {counts[Verdict.INVALID]} invalid)"
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
    for line in wrapped(text, then="  "):
        yield line, _gate_markup(gate.state)


def _gate_markup(state: str) -> dict[str, bool]:
    colour = {"open": "green", "closed": "red"}.get(state, "yellow")
    return {"bold": True, colour: True}


def _level(level: float) -> str:
    return f"{100 * level:.4g}%"


def _shows_interval(group: ClaimGroup) -> bool:
    one = group.first.estimate
    return not group.by_entity and one.value is not None and (one.low is not None or one.high is not None)


def _found(group: ClaimGroup, usual: float | None) -> str:
    """Return what was found: value, interval, its level if it is not the usual one, and threshold.

    Of claims about entities, how many have which verdict.
    """
    claim = group.first
    if group.by_entity:
        if len(group.counts) == 1:
            return f"all {plural(group.entities, 'entity', 'entities')} {group.verdict}"
        return ", ".join(f"{count} {verdict}" for verdict, count in group.counts.items())
    shown, level = interval(claim), claim.estimate.level
    if _shows_interval(group) and level != usual:
        shown = f"{shown.removesuffix(')')} at {_level(level)})"
    return f"{shown}, {claimed(claim)}"


def _mark(group: ClaimGroup) -> str:
    if group.note:
        return f" [{group.note}]"
    if not group.first.gate:
        return ""
    chance = _chance_shown(group)
    return " [gate]" if chance is None else f" [gate, {percent(chance)}]"


def _chance_shown(group: ClaimGroup) -> float | None:
    """Return the chance that a repetition gives the same verdict; ``None`` of one that decided nothing.

    A high chance to be inconclusive again would be read as that of a study that is large enough.
    """
    return group.reproducibility if group.verdict in {Verdict.SUPPORTED, Verdict.REFUTED} else None


def _problem_lines(
    model: ModelRecord, groups: Sequence[ClaimGroup], numbers: Mapping[str, int], verbosity: int
) -> Iterator[Line]:
    advised: dict[str, str] = {}
    for cause, problem in problems_of(model, groups).items():
        number = f"[{numbers[cause]}] "
        details = problem.details if verbosity >= 0 else ()
        yield from _lines(number + problem.title, COLOURS[Verdict.INVALID], then=" " * len(number))
        to_do = f"as for {advised[problem.to_do]}" if problem.to_do in advised else problem.to_do
        if problem.to_do:
            advised.setdefault(problem.to_do, number.strip())
        for text in (*details, *([f"to do: {to_do}"] if to_do else [])):
            yield from _lines(" " * len(number) + text, {}, then=" " * (len(number) + 2))
    for group in groups:
        if group.by_entity and (named := group.named):
            name = group.first.function.removeprefix("test_")
            text = f"- {name}: refuted for {', '.join(named)} (Holm, of {group.entities})"
            yield from _lines(text, COLOURS[Verdict.REFUTED], then="    ")
    shown = undecided(groups)
    most = len(shown) if verbosity > 0 else UNDECIDED_SHOWN
    for group in shown[:most]:
        count = f" ({group.counts[Verdict.INCONCLUSIVE]} of {group.entities} entities)" if group.by_entity else ""
        text = f"? {group.first.function.removeprefix('test_')}{count}: {to_decide(group)}"
        yield from _lines(text, COLOURS[Verdict.INCONCLUSIVE], then="    ")
    if len(shown) > most:
        yield f"? and {len(shown) - most} more inconclusive; -v shows all", COLOURS[Verdict.INCONCLUSIVE]


def _legend(groups: Sequence[ClaimGroup]) -> Iterator[str]:
    """Yield what the letters mean, of those that occur, and what stands beside a gate."""
    present = {verdict for group in groups for verdict in group.counts}
    letters = ", ".join(f"{letter} {name}" for name, letter in LETTERS.items() if name in present)
    yield from wrapped(f"{letters}{': the measurement failed its checks' if Verdict.INVALID in present else ''}")
    gates = [group for group in groups if group.first.gate and not group.note]
    if gates:
        chance = any(_chance_shown(group) is not None for group in gates)
        fails = "fails the run unless it is supported"
        again = "; N%: chance that a repetition of the study gives the same verdict"
        yield from wrapped(f"[gate{', N%' * chance}]: {fails}{again * chance}", then="  ")


def _lines(text: str, markup: dict[str, bool], then: str) -> Iterator[Line]:
    return ((line, markup) for line in wrapped(text, then=then))


def _answers(answered_by: Mapping[AnsweredBy, int]) -> str:
    """Return how answers were read: the way of all of them but a twentieth, or ``mixed``."""
    if not answered_by:
        return "-"
    most = max(answered_by, key=answered_by.__getitem__)
    return most if 20 * answered_by[most] >= 19 * sum(answered_by.values()) else "mixed"
