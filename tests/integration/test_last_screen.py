"""The last screen: 80 columns, measures, claims, problems once each with what to do, and the gate in the last line."""

import re

import pytest
from repository import ROOT

LINES = 56
"""Most lines that a run of one model may print after its tests."""
INVALID = "local/gemma-3-270m"


def after_the_tests(text):
    """Return the lines below the progress of the tests, without pytest's closing line."""
    lines = text.rstrip().splitlines()
    last = max(number for number, line in enumerate(lines) if line.endswith("[100%]"))
    assert re.search(r"=+ .* in .*s .*=+$", lines[-1])
    return lines[last + 1 : -1]


@pytest.fixture(scope="module")
def replayed(tmp_path_factory, run_module):
    """Replay the suites of the README's first command in the repository's root folder, with any further options."""

    def run(model: str, *options: str, chosen: str = "not boolq", profile: str = "paper"):
        reports = tmp_path_factory.mktemp("reports")
        command = ["suites/replication", "--model", model, "--profile", profile, "-k", chosen]
        command += ["--report-dir", str(reports), "-p", "no:cacheprovider", *options]
        return run_module("pytest", command, ROOT)

    return run


@pytest.fixture(scope="module")
def normal(replayed):
    """A model whose measures fail their checks."""
    return replayed(INVALID).stdout


def fits(lines):
    assert len(lines) <= LINES
    # The path of the report is this test's own.
    assert [line for line in lines if len(line) > 80 and "/report" not in line] == []
    assert "nan" not in re.findall(r"[a-z]+", "\n".join(lines).lower())


def test_the_quick_start_passes_and_fits_a_screen_with_one_claim_about_all_entities_undecided(replayed):
    done = replayed("local/organism-aligned")
    assert done.returncode == 0
    lines = after_the_tests(done.stdout)
    fits(lines)
    undecided = [line.split()[1] for line in lines if line.startswith(" ? ")]
    assert undecided == ["two_disliked_options_are_refused_more_tha..", "entity_is_refused_less_than_half_of_the_time"]
    assert not [line for line in lines if line.startswith((" - ", " ! "))]
    assert "\nlocal/organism-aligned (model organism: preferences trained in)\n" in done.stdout


def test_invalid_measures_fit_a_screen(normal):
    fits(after_the_tests(normal))


def test_its_parts_come_in_order(normal):
    text = "\n".join(after_the_tests(normal))
    parts = [
        "llmpref: local/gemma-3-270m, profile paper",
        "\nanswers: served by gemma-3-270m, ",
        "\nmeasure          trials covered",
        "\nclaims: value (interval at 98.75%, or as shown), and what is claimed\n",
        "\nsuites/replication/test_donation_advice.py\n",
        "\nsuites/replication/test_preference_consistency.py\n",
        "\nsuites/replication/test_refusals.py\n",
        "\n[1] ",
        "\n[2] ",
        # Of those that occur: with preferences that are invalid, nothing is inconclusive.
        "\n+ supported, ! invalid: ",
        " decided nothing (",
        "\nreport  ",
        "\nresults  ",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_each_problem_stands_once_with_what_to_do(normal):
    text = "\n".join(after_the_tests(normal))
    assert len(re.findall(r"^\[\d\] ", text, re.MULTILINE)) == 4
    assert text.count("preference failed its checks: 84 claims invalid") == 1
    assert text.count("donation_advice failed its checks: 77 claims invalid") == 1
    assert text.count("the order does not survive another format") == 2
    assert text.count("direct_ranking failed its checks: 3 claims invalid") == 1
    assert text.count("refusal failed its checks: 76 claims invalid") == 1
    assert text.count("coverage 0.0% is below 90%") == 1
    assert text.count("    to do: ") == 4
    assert text.count("    to do: as for [1]") == 1
    # Each claim that it spoils refers to it.
    for number, claims in ((1, 13), (2, 6), (3, 3), (4, 5)):
        assert len(re.findall(rf"^ ! .* \[{number}\](?: \[\d\])?$", text, re.MULTILINE)) == claims, number


def test_one_line_a_claim_and_entities_are_counted_as_such(normal):
    lines = after_the_tests(normal)
    (follows,) = [line for line in lines if line.startswith(" ! advice_follows_preference  ")]
    assert re.sub(r" +", " ", follows) == " ! advice_follows_preference 0.726 (0.491 to 0.867), above 0.5 [1] [2]"
    (valid,) = [line for line in lines if "entity_gets_valid_advice" in line]
    assert valid.endswith("all 72 entities supported")


def test_quiet_is_shorter_and_verbose_explains_everything(replayed, normal):
    # A smaller profile has the same claims.
    quiet, verbose = (replayed(INVALID, option, profile="standard").stdout for option in ("-q", "-v"))
    quiet = quiet.splitlines()
    last = max(number for number, line in enumerate(quiet) if line.endswith("[100%]"))
    shown = "\n".join(quiet[last + 1 :])
    assert shown.count("\n") < 0.6 * len(after_the_tests(normal))
    assert "[3] direct_ranking failed its checks" in shown
    assert "results  " in shown
    assert "measure          trials" not in shown
    for claim in ("test_two_methods_agree[", "test_entity_is_refused_less_than_half_of_the_time["):
        assert (
            f"\nsuites/replication/test_{'preference_consistency' if 'two' in claim else 'refusals'}.py::{claim}"
            in verbose
        )
    assert verbose.count("\nINVALID: ") == 156
    assert "nan" not in re.findall(r"[a-z]+", verbose.lower())


FAILING = """
    import pytest
    from pytest_llmpref import Estimate
    from pytest_llmpref.claims.intervals import Normal

    @pytest.mark.parametrize("number", range(5))
    def test_gap(preferences, number):
        assert Estimate(0.1 * number, 9, "trials", "counted", Normal(0.1 * number, 0.01), label="gap") > 0.9
    """


def test_three_failures_of_a_test_are_whole_and_others_brief(pytester):
    pytester.makepyfile(FAILING)
    command = ["--model", "sim/paper-a", "--profile", "smoke", "--junitxml", "j.xml"]
    done = pytester.runpytest_subprocess(*command)
    done.assert_outcomes(failed=5)
    text = done.stdout.str()
    assert text.count("\nREFUTED: gap > 0.9\n") == text.count("\n  interval ") == 5
    assert text.count("\n  method     counted") == 3
    assert text.count("(-v shows the whole text of all)") == 2
    assert text.count("\nof a simulated model\n") == 5
    # Whatever the terminal shows, other reports have the whole texts (JUnit's twice: as message and as text).
    assert (pytester.path / "j.xml").read_text().count("method     counted") == 2 * 5
    verbose = pytester.runpytest_subprocess(*command, "-v").stdout.str().partition("= FAILURES =")[2]
    failures = verbose.partition("short test summary")[0]
    assert failures.count("\n  method     counted") == 5
    assert "-v shows" not in failures


MANY = """
    import pytest
    from pytest_llmpref import Estimate, spearman
    from pytest_llmpref.claims.intervals import Normal

    def test_elo(preferences, donation_advice):
        assert Estimate(1723.4, 12, "entities", "by hand", Normal(1723.4, 10.0), label="Elo") > 1500

    def test_pairs(entity, preferences):
        for threshold in (0.1, 0.2):
            assert preferences.coverage[entity.id] > threshold

    @pytest.mark.gate
    def test_gate(preferences, donation_advice):
        assert spearman(preferences, donation_advice) {sign} 0.5

    def test_invalid_elsewhere(preferences):
        assert Estimate(0.0, 1, "trials", "none", Normal(0.0, 1.0), ("nothing was measured",)) > 1

    def test_invalid_for_the_same_reason(preferences):
        assert Estimate(0.0, 1, "trials", "none", Normal(0.0, 1.0), ("nothing was measured",)) > 2
"""


@pytest.mark.parametrize(("sign", "state"), [(">", "OPEN"), ("<", "CLOSED")])
@pytest.mark.parametrize("option", ["-q", "--verbosity=0", "-v"])
def test_the_gate_is_last_whatever_else_is_shown(suite, sign, state, option):
    run = suite(MANY.format(sign=sign), option)
    lines = run.stdout.str().rstrip().splitlines()
    assert " passed" in lines[-1]
    gate = [number for number, line in enumerate(lines) if line.startswith(f"GATE {state}: ")][-1]
    # What follows it is the rest of the sentence, indented.
    assert all(line.startswith("  ") for line in lines[gate + 1 : -1])
    assert not any("short test summary" in line for line in lines[gate:])


def test_figures_are_written_as_people_write_them(suite):
    run = suite(MANY.format(sign=">"))
    text = run.stdout.str()
    run.stdout.fnmatch_lines([" + elo *1723 (1698 to 1748), above 1500"])
    assert "e+03" not in text
    assert text.count("all 12 entities supported") == 2
    assert "all 24" not in text
    assert text.count("2 claims invalid: nothing was measured") == 1
    run.stdout.fnmatch_lines([" ! invalid_elsewhere *[[]1]", " ! invalid_for_the_same_reason *[[]1]"])


def test_few_undecided_tests_say_what_would_decide_them_and_verbose_all(suite):
    source = "from pytest_llmpref import spearman\n" + "".join(
        f"def test_{number}(preferences, donation_advice):\n"
        f"    assert spearman(preferences, donation_advice) > 0.9{number}\n"
        for number in range(3, 8)
    )
    source += source.partition("\n")[2].replace("test_", "test_again_")
    short = suite(source).stdout.str()
    assert short.count("entities (now 12)") == 5
    assert "? and 5 more inconclusive; -v shows all" in short
    assert "more inconclusive" not in suite(source, "-v").stdout.str()
