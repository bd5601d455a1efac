"""Mutation testing of the statistics and the claims: ``python tests/mutation/run.py [MODULE ...]``.

Mutmut changes one thing in a function at a time; a test of the module must fail. A mutant that no test can tell from
the original stands in ``equivalent.toml`` with the reason. Texts are not mutated: snapshots hold the wording. Nor are
decorated functions, such as properties, which mutmut leaves alone.

Needs ``pip install mutmut``. Each module is mutated in a folder of its own, and met by the tests named here alone:
those of its unit tests that take seconds and need no recording. ``LLMPREF_MUTATION_WORKERS`` sets how many mutants are
met at once; 2 unless set.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
TARGET = 0.90
"""Share of the mutants that tests must kill, equivalent ones left out."""
CLAIMS = "tests/unit/claims"
STATS = "tests/unit/stats"
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
        *(f"{STATS}/test_{name}.py" for name in ("association", "resampling", "dependence")),
        COVERAGE_OF_RHO,
    ],
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
    "stats/pair_logit": [f"{STATS}/test_{name}.py" for name in ("pair_logit", "rating")],
}
"""Module -> the tests that are to kill its mutants."""
LEFT_OUT = (
    # They run a whole pytest, or a command.
    "test_a_gate_asks", "test_what_else_such_answers", "test_without_valid_preferences", "test_a_plan_counts",
    "test_a_recording_asks", "test_the_command_plans", "test_a_plan_says",
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
    "test_the_module_costs", "test_intervals_hold_a_planted_gap", "test_the_papers_size",
    "test_a_strength_has_the_error", "test_arms_are_told",
    "test_intervals_with_shrunk", "test_it_is_the_share_of_repetitions", "test_the_error_of_the_quotient",
    "test_a_planted_zero_is_equivalent", "test_a_gap_at_the_margin",
)  # fmt: skip
"""How the tests begin that meet no mutant."""
_SETTINGS = """\
[mutmut]
source_paths = pytest_llmpref
only_mutate = pytest_llmpref/{module}.py
also_copy =
    tests
pytest_add_cli_args =
    -pno:cacheprovider
    -q
    --import-mode=importlib
    -m
    not slow
    -k
    {left_out}
pytest_add_cli_args_test_selection =
    {tests}
use_git_change_detection = false
"""
_WITHOUT_TEXTS = """\
import libcst
from mutmut.mutation import mutators
mutators.mutation_operators[:] = [pair for pair in mutators.mutation_operators if pair[0] is not libcst.BaseString]
from mutmut.__main__ import cli
import sys
for command in sys.argv[1].split(";"):
    cli(command.split(), standalone_mode=False)
"""
"""Runs one command of mutmut after another, each with its arguments."""
_KILLED = {"killed", "timeout", "segfault", "caught by type check"}


def main(arguments: Sequence[str]) -> int:
    """Mutate the modules named, or all; return 1 where too few mutants of one are killed."""
    parser = argparse.ArgumentParser(description="Mutate modules of pytest_llmpref, and count what their tests kill.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"one of {', '.join(TESTS)} (default: all)")
    parser.add_argument("--keep", type=Path, help="folder to work in, which is kept, for mutmut's own commands")
    options = parser.parse_args(arguments)
    if unknown := set(options.modules) - set(TESTS):
        parser.error(f"no such module: {', '.join(sorted(unknown))}; there are {', '.join(TESTS)}")
    known = tomllib.loads((Path(__file__).parent / "equivalent.toml").read_text(encoding="utf-8"))
    failed = False
    print(f"{'module':<28}{'mutants':>8}{'killed':>8}{'survived':>9}{'equivalent':>11}{'no test':>8}{'score':>8}")
    for module in options.modules or TESTS:
        failed |= not _report(module, known.get(module, []), options.keep)
    return int(failed)


def _report(module: str, known: Sequence[dict[str, str]], keep: Path | None) -> bool:
    """Mutate a module and print what came of it; return whether enough is killed."""
    with _workspace(module, keep) as folder:
        results = _mutated(folder)
        survivors = _changes(folder, [name for name, result in results.items() if result == "survived"]).items()
    equivalent = {(one["function"], one["change"].strip()) for one in known}
    found = [(name, change) for name, change in survivors if (_function(name), change) not in equivalent]
    missed = [name for name, result in results.items() if result not in _KILLED | {"survived"}]
    counts = Counter(results.values())
    killed = sum(counts[result] for result in _KILLED)
    rest = len(survivors) - len(found)
    judged = len(results) - rest
    score = killed / judged if judged else 1.0
    print(
        f"{module:<28}{len(results):>8}{killed:>8}{len(found):>9}{rest:>11}{len(missed):>8}{score:>8.1%}",
        flush=True,
    )
    if missed:
        print("  no test reaches " + ", ".join(sorted({_function(name) for name in missed})))
    for name, change in found:
        print(f"  {name}\n    " + change.replace("\n", "\n    "))
    return score >= TARGET


@contextlib.contextmanager
def _workspace(module: str, keep: Path | None) -> Iterator[Path]:
    """Copy the package and the module's tests, without the fixtures that all tests of the plugin share."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if keep is None else keep / module.replace("/", "-")
        shutil.copytree(ROOT / "pytest_llmpref", folder / "pytest_llmpref", dirs_exist_ok=True)
        for path in ("tests/support", *TESTS[module]):
            copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / path, folder / path, **({"dirs_exist_ok": True} if copy is shutil.copytree else {}))
        left_out = " and ".join(f"not {name}" for name in LEFT_OUT)
        settings = _SETTINGS.format(module=module, tests="\n    ".join(TESTS[module]), left_out=left_out)
        (folder / "setup.cfg").write_text(settings, encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\npythonpath = tests/support\nmarkers = slow\n", encoding="utf-8")
        yield folder


def _mutmut(folder: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": ""}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", _WITHOUT_TEXTS, ";".join(commands)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _mutated(folder: Path) -> dict[str, str]:
    """Return mutant -> what came of it."""
    done = _mutmut(folder, f"run --max-children {os.environ.get('LLMPREF_MUTATION_WORKERS', '2')}")
    listed = _mutmut(folder, "results --all true").stdout
    rows = [line.strip().rpartition(": ") for line in listed.splitlines() if ": " in line]
    if done.returncode or not rows:
        raise SystemExit(f"mutmut failed in {folder}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return {name: result for name, _, result in rows}


def _changes(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Return mutant -> the lines that it takes out and puts in."""
    shown = _mutmut(folder, *(f"show {name}" for name in names)).stdout if names else ""
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
