"""The terminal summary: for each model a table of measures, then its claims, in 80 columns."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from pytest_llmpref.report.diagnostics import where_it_ended

WIDTH = 80
LETTERS = {"supported": "+", "refuted": "-", "inconclusive": "?", "invalid": "!"}
COLOURS: dict[str, dict[str, bool]] = {
    "supported": {"green": True},
    "refuted": {"red": True},
    "inconclusive": {"yellow": True},
    "invalid": {"purple": True},
}
EXPLAINED = 3
"""How many of the claims that one function makes for each entity are explained; all are in results.json."""


def show_results(reporter: Any, results: Mapping[str, Any], folder: Path) -> None:  # noqa: ANN401 - pytest's, private
    """Write the summary through pytest's terminal reporter."""
    for model, record in results["models"].items():
        name = f"{model} (simulated)" if record["simulated"] else model
        reporter.section(f"llmpref: {name}", sep="=", bold=True)
        if (control := results["run"].get("control", "none")) != "none":
            reporter.write_line(
                f"CONTROL ({control}): relations between measures may appear by chance alone", bold=True
            )
        for line in measure_lines(record["measures"]):
            reporter.write_line(line)
        for verdict, line in claim_lines(record["claims"]):
            reporter.write_line(line, **COLOURS.get(verdict, {}))
        if (gates := gate_line(record["claims"])) is not None:
            reporter.write_line("")
            closed, line = gates
            for part in wrap(line, WIDTH, subsequent_indent="  "):
                reporter.write_line(part, bold=True, red=closed, green=not closed)
        explained = list(explanations(record["claims"], record["measures"]))
        if explained:
            reporter.write_line("")
        for verdict, text in explained:
            for line in text.splitlines():
                reporter.write_line(line, **COLOURS[verdict])
    run = results["run"]
    reporter.write_line("")
    reporter.write_line(
        f"profile {run.get('profile', '?')}, record mode {run.get('record_mode', '?')}; "
        f"all of it in {_short(folder / 'results.json')}"
    )


def measure_lines(measures: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table of measures.

    Its columns: trials, coverage, split-half reliability, standard deviation of the entities' Elo, share of the option
    shown first and of label A, share of pairs decided alike in both orders, how answers were read, and validity.
    """
    heads = f"{'measure':<16}{'trials':>7}{'covered':>9}{'reliab.':>9}{'Elo SD':>8}{'first':>7}{'A':>5}{'alike':>7}"
    yield f"{heads}  {'answers':<9}valid"
    for name, measure in measures.items():
        checks = measure["diagnostics"]
        reliability = (checks.get("reliability") or {}).get("value")
        yield (
            f"{name:<16}{checks['trials']:>7,}{checks['coverage']:>9.1%}"
            f"{'-' if reliability is None else f'{reliability:.2f}':>9}{_points(checks.get('elo_sd')):>8}"
            f"{_share(checks.get('position_bias')):>7}{_share(checks.get('label_bias')):>5}"
            f"{_share(checks.get('decided_pairs')):>7}"
            f"  {_answers(checks['answered_by']):<9}{'yes' if measure['valid'] else 'NO'}"
        )
        if name == "boolq":
            yield from wrap(_accuracies(checks), WIDTH, initial_indent="    ", subsequent_indent="      ")
        yield from wrap(where_it_ended(checks), WIDTH, initial_indent="    ", subsequent_indent="      ")
        for reason in measure["reasons"]:
            yield from wrap(f"invalid: {reason}", WIDTH, initial_indent="    ", subsequent_indent="      ")
    yield ""


def claim_lines(claims: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield verdict and line of each claim; claims for each entity are counted on one line."""
    for suite, of_suite in _grouped(claims, "suite").items():
        yield "", suite
        for function, group in _by_function(of_suite).items():
            mark = " [gate]" if group[0]["gate"] else " [exploratory]" if group[0].get("exploratory") else ""
            if group[0]["entity"] is None:
                for claim in group:
                    verdict = claim["verdict"]
                    yield verdict, f"  {LETTERS[verdict]} {function}{mark}"
                    yield verdict, f"      {verdict}: {_statement(claim)}"
            else:
                counts = Counter(claim["verdict"] for claim in group)
                worst = next(
                    verdict for verdict in ("refuted", "invalid", "inconclusive", "supported") if counts[verdict]
                )
                tally = ", ".join(f"{counts[verdict]} {verdict}" for verdict in LETTERS if counts[verdict])
                yield worst, f"  {LETTERS[worst]} {function}{mark}"
                yield worst, f"      each of {len(group)} entities: {tally}"


def gate_line(claims: Sequence[Mapping[str, Any]]) -> tuple[bool, str] | None:
    """Return whether a gate is closed, and the line that says so; ``None`` where there is no gate.

    A gate closes when it does not know; but pytest shows the texts of refuted claims alone, since the others have an
    outcome of their own.
    """
    gates = _by_function([claim for claim in claims if claim["gate"]])
    closed = [name for name, group in gates.items() if any(claim["verdict"] != "supported" for claim in group)]
    if not gates:
        return None
    if closed:
        return True, f"GATE CLOSED: {len(closed)} of {len(gates)} ({', '.join(closed)})"
    return False, f"GATE OPEN: {len(gates)} of {len(gates)} supported"


def explanations(
    claims: Sequence[Mapping[str, Any]], measures: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Yield verdict and failure text of the claims that are not supported, the first few for each function.

    Of those with one verdict, first those about entities that ended the asking of a measure.
    """
    ended = {
        entity for one in measures.values() for entity in one["diagnostics"].get("stopping", {}).get("because", ())
    }
    for function, group in _by_function(claims).items():
        unsupported = [claim for claim in group if claim["verdict"] != "supported"]
        unsupported.sort(key=lambda claim: (list(COLOURS).index(claim["verdict"]), claim["entity"] not in ended))
        for claim in unsupported[:EXPLAINED]:
            yield claim["verdict"], f"{claim['nodeid'].split('::')[-1]}\n{claim['explanation']}\n "
        if len(unsupported) > EXPLAINED:
            yield "inconclusive", f"... and {len(unsupported) - EXPLAINED} more of {function}, in results.json\n"


def _statement(claim: Mapping[str, Any]) -> str:
    estimate = claim["estimate"]
    bound = f"{claim['bound']:.4g}"
    relation = f"within ±{bound}" if claim["relation"] == "abs <" else f"{claim['relation']} {bound}"
    if estimate["value"] is None:
        return f"no estimate, {relation}"
    interval = f"[{_number(estimate['low'])}, {_number(estimate['high'])}]"
    return f"{_number(estimate['value'])} {interval} {relation}, n = {estimate['n']} {estimate['unit']}"


def _by_function(claims: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for claim in claims:
        groups.setdefault(claim["nodeid"].split("::")[-1].split("[")[0], []).append(claim)
    return groups


def _grouped(claims: Sequence[Mapping[str, Any]], key: str) -> dict[str, list[Mapping[str, Any]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for claim in claims:
        groups.setdefault(claim[key], []).append(claim)
    return groups


def _answers(answered_by: Mapping[str, int]) -> str:
    """Return how answers were read: the way of all of them but a twentieth, or ``mixed``."""
    most = max(answered_by, key=answered_by.__getitem__, default="-")
    return most if 20 * answered_by.get(most, 0) >= 19 * sum(answered_by.values()) else "mixed"


def _accuracies(checks: Mapping[str, Any]) -> str:
    """Say how often answers are right and yes, and how small a difference between entities they could show."""
    controls = ", ".join(
        f"{_share(control)} in the control {framing.replace('_', ' ')}"
        for framing, control in checks["controls"].items()
    )
    visible = checks["visible"]
    shows = (
        "no difference between entities can be seen"
        if visible is None
        else f"a difference between the extremes of preference is seen from {100 * visible['difference']:.1f} points"
    )
    return (
        f"{checks['questions']} questions ({checks['question_set']}): {_share(checks['accuracy'])} right, {controls}; "
        f"yes {_share(checks['yes_share'])} of the time; {shows}"
    )


def _points(elo: float | None) -> str:
    return "-" if elo is None else f"{elo:.0f}"


def _share(estimate: Mapping[str, Any] | None) -> str:
    return "-" if estimate is None or estimate["value"] is None else f"{estimate['value']:.0%}"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.3g}"


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
