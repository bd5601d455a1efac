"""Mutation testing of statistics, claims, outcomes and readers: ``python tests/mutation/run.py [MODULE ...]``.

Mutmut makes mutants, each with one change in a function, and `meeting` has tests meet them; a test of the module must
fail. A mutant that no test can tell from the original stands in ``equivalent.toml`` with the reason. Texts are not
mutated: snapshots hold the wording. Nor are decorated functions, such as properties, which mutmut leaves alone.

Needs ``pip install mutmut``. Each module is mutated in a folder of its own, and met by the tests named here alone:
those of its unit tests that take seconds and need no recording. ``LLMPREF_MUTATION_WORKERS`` sets how many mutants are
met at once; 2 unless set. ``--record`` writes the counts to ``figures.json`` and to ``docs/validation/mutants.md``.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from figures import FIGURES, TARGET, Counts, record

ROOT = Path(__file__).parents[2]
CLAIMS = "tests/unit/claims"
STATS = "tests/unit/stats"
READING = "tests/unit/parsing"
PARSING = [
    f"{READING}/test_{name}.py"
    for name in ("reading_rules", "replies", "declining", "choosing", "cut_replies", "patterns")
]
OWN = f"{READING}/test_own_replies.py::"
CHOOSING = [
    *PARSING,
    f"{OWN}test_what_chooses_is_read_and_nothing_else[diagonal]",
    f"{OWN}test_a_choice_that_is_divided_by_purpose_is_none[purposes0-Oxfam and the British Museum]",
]
"""With one pair of names for each line: more of them take seconds."""
COVERAGE_OF_RHO = "tests/simulation/test_association.py"
TESTS: dict[str, list[str]] = {
    "claims/verdicts": [CLAIMS],
    "claims/claim": [CLAIMS],
    "claims/deciding": [CLAIMS],
    "claims/sensitivity": [CLAIMS],
    "claims/estimates": [CLAIMS],
    "claims/intervals": [CLAIMS, f"{STATS}/test_change.py"],
    "claims/gates": [CLAIMS],
    "stats/ranks": [
        *(f"{STATS}/test_{name}.py" for name in ("ranks", "association", "correlation_power", "dependence")),
        COVERAGE_OF_RHO,
    ],
    "stats/arrays": [f"{STATS}/test_ranks.py"],
    "stats/association": [
        *(f"{STATS}/test_{name}.py" for name in ("association", "dependence")),
        COVERAGE_OF_RHO,
    ],
    "stats/own_statistic": [f"{STATS}/test_resampling.py"],
    "stats/change": [f"{STATS}/test_change.py"],
    "stats/reliability": [f"{STATS}/test_{name}.py" for name in ("attenuation", "reliability")],
    "stats/noise": [f"{STATS}/test_{name}.py" for name in ("noise", "shrinkage", "association")],
    "stats/arms": [f"{STATS}/test_{name}.py" for name in ("arms", "detectable")],
    "stats/refusal": [f"{STATS}/test_{name}.py" for name in ("refusal", "dependence")],
    "stats/refusal_patterns": [f"{STATS}/test_refusal.py"],
    "stats/answers": [f"{STATS}/test_{name}.py" for name in ("performance", "power")],
    "stats/performance": [f"{STATS}/test_{name}.py" for name in ("performance", "power")],
    "stats/sequential": [f"{STATS}/test_{name}.py" for name in ("sequential", "group_sequential")],
    "stats/comparisons": [f"{STATS}/test_{name}.py" for name in ("bias", "rating", "reliability")],
    "stats/closed_form": [f"{STATS}/test_{name}.py" for name in ("detectable", "reproducibility")],
    "stats/conditional_logit": [f"{STATS}/test_performance.py"],
    "stats/rating": [f"{STATS}/test_{name}.py" for name in ("rating", "reliability")],
    "stats/pair_design": [f"{STATS}/test_{name}.py" for name in ("pair_logit", "rating")],
    "stats/pair_logit": [f"{STATS}/test_{name}.py" for name in ("pair_logit", "rating")],
    "stats/few_outcomes": [f"{STATS}/test_few_outcomes.py"],
    "stats/clustering": [f"{STATS}/test_clustering.py"],
    "stats/crossed": [f"{STATS}/test_crossed.py"],
    "stats/halves": [f"{STATS}/test_{name}.py" for name in ("halves", "crossed", "reliability")],
    "stats/superadditivity": [f"{STATS}/test_{name}.py" for name in ("superadditivity", "refusal")],
    "stats/slopes": [f"{STATS}/test_{name}.py" for name in ("slopes", "dyads")],
    "stats/randomisation": [f"{STATS}/test_randomisation.py"],
    "stats/assignment": [f"{STATS}/test_{name}.py" for name in ("assignment", "randomisation")],
    "stats/agreement": [f"{STATS}/test_agreement.py"],
    "stats/paired": [f"{STATS}/test_paired.py"],
    "stats/wins": [f"{STATS}/test_wins.py"],
    "stats/arms_by_difficulty": [f"{STATS}/test_arms_by_difficulty.py"],
    "stats/accuracy_shift": [f"{STATS}/test_{name}.py" for name in ("accuracy_shift", "performance")],
    "stats/difficulty": [f"{STATS}/test_{name}.py" for name in ("difficulty", "performance")],
    "stats/grouped": [f"{STATS}/test_{name}.py" for name in ("grouped", "association", "ranks")],
    "stats/sampled": [f"{STATS}/test_{name}.py" for name in ("slopes", "ranks", "association")],
    "stats/extremes": [f"{STATS}/test_{name}.py" for name in ("extremes", "refusal")],
    "stats/meta_regression": [f"{STATS}/test_meta_regression.py"],
    "stats/exchangeability": [f"{STATS}/test_exchangeability.py"],
    "stats/opening": [f"{STATS}/test_{name}.py" for name in ("opening", "detectable")],
    "stats/roots": [f"{STATS}/test_roots.py"],
    "stats/attenuation": [f"{STATS}/test_{name}.py" for name in ("attenuation", "reliability")],
    "stats/refits": [f"{STATS}/test_{name}.py" for name in ("rating", "refusal")],
    "stats/generalizability": [f"{STATS}/test_generalizability.py"],
    "stats/selection": [f"{STATS}/test_selection.py"],
    "stats/power": [f"{STATS}/test_{name}.py" for name in ("power", "correlation_power", "detectable", "ranks")],
    "parsing/replies": PARSING,
    "parsing/choosing": CHOOSING,
    "parsing/stating": CHOOSING,
    "parsing/quoting": [*CHOOSING, f"{READING}/test_quoting.py"],
    "parsing/signs": [*CHOOSING, f"{READING}/test_signs.py"],
    "parsing/cut_replies": [*CHOOSING, f"{READING}/test_cut_replies.py"],
    "parsing/sentences": [*CHOOSING, f"{READING}/test_options.py"],
    "parsing/options": [*CHOOSING, f"{READING}/test_options.py"],
    "parsing/yes_no": [*PARSING, f"{OWN}test_yes_and_no_are_read", f"{READING}/test_yes_no.py"],
    "parsing/ranking": [*PARSING, f"{READING}/test_ranking.py"],
    "parsing/markup": [*PARSING, f"{READING}/test_markup.py"],
    "parsing/thinking": [f"{READING}/test_{name}.py" for name in ("thinking", "reading_rules", "replies")],
    "parsing/outcome": [f"{READING}/test_declining.py"],
    "parsing/logprobs": [f"{READING}/test_{name}.py" for name in ("logprobs", "reading_rules", "replies")],
    "parsing/language": [*PARSING, f"{READING}/test_language.py"],
    "parsing/patterns": PARSING,
    "parsing/open_answers": [f"{READING}/test_open_answers.py"],
    "parsing/open_text": [f"{READING}/test_open_answers.py"],
    "parsing/open_phrases": [f"{READING}/test_open_answers.py"],
    "plugin/outcomes": ["tests/unit/plugin/test_outcomes.py"],
}
"""Module -> the tests that are to kill its mutants."""
DATA = {"parsing": ["tests/replies", "fixtures/phrases", "fixtures/open-answers"]}
"""Folder -> what it and its tests read."""
LEFT_OUT = (
    # They run a whole pytest, or a command.
    "test_a_gate_asks", "test_what_else_such_answers", "test_without_valid_preferences", "test_a_plan_counts",
    "test_a_recording_asks", "test_the_command_plans", "test_a_plan_says",
    "test_the_chance_that_reading_opens",
    # They take seconds for one mutant: simulations of many studies.
    "test_accuracy_that_rises", "test_the_stated_effect", "test_the_difference_between_extremes_counts",
    "test_intervals_hold_a_planted_slope", "test_one_point_at_200", "test_intervals_hold_the_planted_rho_where",
    "test_unrelated_differences_of_groups", "test_what_entities_do_to_each_other", "test_a_planted_leaning",
    "test_more_questions_see_less", "test_what_given_answers_can_show", "test_an_interval_of_a_change_in_rho",
    "test_a_difference_at_the_margin", "test_the_interval_holds_the_retest",
    "test_the_interval_within_groups_holds", "test_intervals_of_planted_strengths", "test_reliability_is_what_two",
    "test_an_interval_of_a_moved_entity", "test_a_reading_gap_is_a_little",
    "test_small_groups_are_averaged", "test_nothing_much_is_added", "test_the_interval_holds_a_planted_truth",
    "test_claims_below_and_above", "test_all_looks_together",
    "test_a_prior_hardly_shrinks", "test_quarters_at_the_margin", "test_quarters_within_a_margin",
    "test_intervals_hold_a_planted_gap", "test_the_papers_size",
    "test_a_strength_has_the_error", "test_arms_are_told",
    "test_intervals_with_shrunk", "test_it_is_the_share_of_repetitions", "test_the_error_of_the_quotient",
    "test_a_planted_zero_is_equivalent", "test_a_gap_at_the_margin",
    "test_noisy_measures_of_one_truth", "test_the_corrected_correlation_is_that", "test_correlations_across_a_swap",
    "test_noise_that_pairs_share", "test_difficulty_told_by_the_same", "test_formats_that_do_nothing",
    "test_a_difference_that_a_task_owes", "test_a_gate_on_quarters_opens",
    "test_shipped_patterns_find", "test_no_shape_of_reply", "test_cutting_never_turns", "test_a_neutral_preamble",
)  # fmt: skip
"""How the tests begin that meet no mutant."""
_SETTINGS = """\
[mutmut]
source_paths = pytest_llmpref
only_mutate = pytest_llmpref/{module}.py
also_copy =
    tests
    fixtures
use_git_change_detection = false
"""
_WITHOUT_TEXTS = """\
import libcst
from mutmut.mutation import mutators
mutators.mutation_operators[:] = [pair for pair in mutators.mutation_operators if pair[0] is not libcst.BaseString]
import sys
from mutmut import __main__ as mutmut
if sys.argv[1:]:
    for name in sys.argv[1:]:
        mutmut.cli(["show", name], standalone_mode=False)
else:
    mutmut.copy_src_dir()
    mutmut.copy_also_copy_files()
    mutmut.setup_source_paths()
    mutmut.create_mutants(1)
"""
"""Makes the mutants, without a name; and shows those named."""
_MEET = """\
import sys
sys.path.insert(0, sys.argv.pop(1))
sys.path.insert(0, ".")
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""
_KILLED = {"killed", "ended"}


WARM = """
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.open_answers import read_open_answer
from pytest_llmpref.parsing.replies import read_choice
for text in ("I prefer Oxfam to the other one.", "Ich mag Oxfam lieber.", "Je préfère Oxfam.", "我选择 Oxfam。"):
    read_choice(Reply(text, "stop"), {"A": "Oxfam", "B": "UNICEF"})
    read_open_answer(Reply(text, "stop"))
"""
"""Reads the phrases of languages once, before the copies are made: it takes half a second."""
READS_PHRASES = {"parsing/language", "parsing/patterns", "parsing/open_phrases"}
"""What makes phrases. Their mutants have to meet them unread."""


def main(arguments: Sequence[str]) -> int:
    """Mutate the modules named, or all; return 1 where too few mutants of one are killed."""
    parser = argparse.ArgumentParser(description="Mutate modules of pytest_llmpref, and count what their tests kill.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"one of {', '.join(TESTS)} (default: all)")
    parser.add_argument("--keep", type=Path, help="folder to work in, which is kept")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="meet N mutants of a module (default: all)")
    parser.add_argument("--record", action="store_true", help=f"write the counts to {FIGURES.name}, and the page anew")
    options = parser.parse_args(arguments)
    if unknown := set(options.modules) - set(TESTS):
        parser.error(f"no such module: {', '.join(sorted(unknown))}; there are {', '.join(TESTS)}")
    known = tomllib.loads((Path(__file__).parent / "equivalent.toml").read_text(encoding="utf-8"))
    failed = False
    print(f"{'module':<28}{'mutants':>8}{'met':>6}{'killed':>8}{'survived':>9}{'equivalent':>11}{'no test':>8}   share")
    for module in options.modules or TESTS:
        counts = _report(module, known.get(module, []), options)
        failed |= counts.share < TARGET
        if options.record:
            record(module, counts, TESTS)
    return int(failed)


def _report(module: str, known: Sequence[dict[str, str]], options: argparse.Namespace) -> Counts:
    """Mutate a module, print what came of it, and return the counts."""
    with _workspace(module, options.keep) as folder:
        names = _mutants(folder, module)
        chosen = names
        if 0 < options.sample < len(names):
            chosen = sorted(random.Random(module).sample(names, options.sample), key=names.index)
        results = _met(folder, module, chosen)
        survivors = _changes(folder, [name for name, result in results.items() if result == "survived"]).items()
    equivalent = {(one["function"], one["change"].strip()) for one in known}
    found = [(name, change) for name, change in survivors if (_function(name), change) not in equivalent]
    missed = [name for name, result in results.items() if result == "no test"]
    killed = sum(result in _KILLED for result in results.values())
    counts = Counts(len(names), len(results), killed, len(survivors) - len(found))
    print(
        f"{module:<28}{counts.mutants:>8}{counts.met:>6}{counts.killed:>8}{len(found):>9}{counts.equivalent:>11}"
        f"{len(missed):>8}{counts.share:>8.1%}",
        flush=True,
    )
    for function, many in Counter(map(_function, missed)).items():
        print(f"  no test reaches {function} ({many})")
    for name, change in found:
        print(f"  {name}\n    " + change.replace("\n", "\n    "))
    return counts


@contextlib.contextmanager
def _workspace(module: str, keep: Path | None) -> Iterator[Path]:
    """Copy the package and the module's tests, without the fixtures that all tests of the plugin share."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if keep is None else keep / module.replace("/", "-")
        if keep is not None:
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(ROOT / "pytest_llmpref", folder / "pytest_llmpref")
        tests = {test.partition("::")[0] for test in TESTS[module]}
        for path in ("tests/support", *sorted(tests), *DATA.get(module.partition("/")[0], ())):
            copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / path, folder / path)
        (folder / "fixtures").mkdir(exist_ok=True)
        (folder / "setup.cfg").write_text(_SETTINGS.format(module=module), encoding="utf-8")
        yield folder


def _python(folder: Path, code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": "", "OMP_NUM_THREADS": "1"}
    environment |= {"OPENBLAS_NUM_THREADS": "1", **variables}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"it failed in {folder}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done


def _mutants(folder: Path, module: str) -> list[str]:
    """Have mutmut make the mutants, and return their names."""
    _python(folder, _WITHOUT_TEXTS)
    made = folder / "mutants" / "pytest_llmpref" / f"{module}.py.meta"
    return list(json.loads(made.read_text(encoding="utf-8"))["exit_code_by_key"])


def _met(folder: Path, module: str, names: Sequence[str]) -> dict[str, str]:
    """Return mutant -> what came of it."""
    place = folder / "met.json"
    place.write_text(json.dumps(names), encoding="utf-8")
    inside = folder / "mutants"
    (inside / "pytest.ini").write_text("[pytest]\npythonpath = tests/support\nmarkers = slow\n", encoding="utf-8")
    left_out = " and ".join(f"not {name}" for name in LEFT_OUT)
    _python(
        inside, _MEET, str(Path(__file__).parent), "-q", "-s", "-pmeeting", "-pno:cacheprovider",
        "--import-mode=importlib", "-mnot slow", f"-k{left_out}", *TESTS[module], LLMPREF_MUTANTS=str(place.resolve()),
        LLMPREF_WARM=WARM if module.startswith("parsing/") and module not in READS_PHRASES else "",
    )  # fmt: skip
    return json.loads(place.read_text(encoding="utf-8"))


def _changes(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Return mutant -> the lines that it takes out and puts in."""
    shown = _python(folder, _WITHOUT_TEXTS, *names).stdout if names else ""
    found: dict[str, list[str]] = {}
    for line in shown.splitlines():
        if line.startswith("# "):
            found[line[2:].rpartition(": ")[0]] = own = []
        elif line[:1] in {"+", "-"} and not line.startswith(("+++", "---")):
            own.append(f"{line[0]} {line[1:].strip()}")
    return {name: "\n".join(lines) for name, lines in found.items()}


def _function(name: str) -> str:
    """Return the function of a mutant: ``pkg.module.x__helper__mutmut_3`` is of ``_helper``."""
    last = name.rpartition(".")[2].rpartition("__mutmut_")[0]
    return last.removeprefix("x_") if last.startswith("x_") else last.replace("ǁ", ".").removeprefix("x.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
