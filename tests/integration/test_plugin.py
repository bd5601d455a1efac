"""The plugin in real pytest runs: parametrization, verdicts as outcomes, gates, families, workers, results."""

import json
import subprocess
import sys
from datetime import datetime

import jsonschema
import pytest

from pytest_llmpref.cassettes import Cassette
from pytest_llmpref.models.chat import Message, Reply, Request
from pytest_llmpref.results.json_schema import SCHEMA_FILE

FOLLOWS = """
    from pytest_llmpref import spearman

    def test_follows(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.5
"""


def results(pytester):
    return json.loads((pytester.path / "reports/latest/results.json").read_text())


def test_a_supported_claim_passes(suite, pytester):
    run = suite(FOLLOWS)
    assert run.ret == 0
    run.stdout.fnmatch_lines(
        [
            "*test_it.py +*",
            "*llmpref: sim/plain (simulated)*",
            " + follows *0.955 (0.704 to 0.994), above 0.5",
            "*1 passed*",
        ]
    )


def test_a_refuted_claim_fails_and_says_value_interval_n_and_bound(suite):
    run = suite("""
        from pytest_llmpref import spearman

        def test_it(preferences, donation_advice):
            assert spearman(preferences, donation_advice) < 0.2
    """)
    assert run.ret == 1
    run.stdout.fnmatch_lines(
        [
            "*test_it.py -*",
            "*REFUTED*< 0.2*",
            "*value*",
            "*interval*95%*",
            "*n *12 entities*",
            "*below 0.2*",
            "*refuted: none of the interval*",
            "*1 failed*",
        ]
    )


INCONCLUSIVE = """
    import pytest
    from pytest_llmpref import spearman

    {marker}
    def test_it(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.93
"""


def test_an_inconclusive_claim_is_reported_and_does_not_fail(suite, pytester):
    run = suite(INCONCLUSIVE.format(marker=""), "--junitxml=junit.xml")
    assert run.ret == 0
    run.stdout.fnmatch_lines(["*test_it.py [?]*", "[?] it: about * entities (now 12)*", "*1 inconclusive*"])
    assert 'skipped="1"' in (pytester.path / "junit.xml").read_text()


def test_a_gate_closes_when_it_does_not_know(suite, pytester):
    run = suite(INCONCLUSIVE.format(marker="@pytest.mark.gate"))
    assert run.ret == 1
    run.stdout.fnmatch_lines(["*test_it.py [?]*", "*INCONCLUSIVE*", "*to decide*about*entities*", "*1 failed*"])
    (claim,) = results(pytester)["models"]["sim/plain"]["claims"]
    assert claim["gate"] is True


def test_an_exploratory_claim_never_fails_and_belongs_to_no_family(suite, pytester):
    run = suite("""
        import pytest
        from pytest_llmpref import spearman

        @pytest.mark.exploratory
        def test_it(preferences, donation_advice):
            assert spearman(preferences, donation_advice) < 0.2

        def test_other(preferences, donation_advice):
            assert spearman(preferences, donation_advice) > 0
    """)
    assert run.ret == 0
    run.stdout.fnmatch_lines(["*1 passed, 1 refuted*"])
    assert {claim["estimate"]["level"] for claim in results(pytester)["models"]["sim/plain"]["claims"]} == {0.95}


def test_a_claim_on_an_invalid_measure_is_invalid_whatever_it_claims(suite):
    run = suite("""
        from pytest_llmpref import spearman

        def test_more(preferences, donation_advice):
            assert spearman(preferences, donation_advice) > 0

        def test_less(preferences, donation_advice):
            assert spearman(preferences, donation_advice) < 0.99
    """, model="sim/always-a")  # fmt: skip
    assert run.ret == 0
    run.stdout.fnmatch_lines(
        [
            "*test_it.py !!*",
            "[[]1] preference failed its checks: 2 claims invalid",
            "*one-sided: *100.0%*",
            "*2 invalid*",
        ]
    )
    run.stdout.no_fnmatch_line("*supported*")


@pytest.mark.parametrize(
    "statement",
    ["assert not spearman(preferences, donation_advice) < 0.2", "assert (rho < 0.2) or (rho > 0.5)"],
)
def test_no_logic_around_a_refuted_claim_hides_it(suite, statement):
    run = suite(f"""
        from pytest_llmpref import spearman

        def test_it(preferences, donation_advice):
            rho = spearman(preferences, donation_advice)
            {statement}
    """)
    assert run.ret == 1
    run.stdout.fnmatch_lines(["*1 failed*"])


def test_a_refuted_claim_fails_beside_an_invalid_one(suite):
    run = suite("""
        from pytest_llmpref import Estimate, spearman
        from pytest_llmpref.claims.intervals import Exact

        def test_it(preferences, donation_advice):
            nothing = Estimate(0.0, 1, "trials", "none", Exact(0.0), ("nothing was measured",))
            assert (nothing > 1) or (spearman(preferences, donation_advice) < 0.2)
    """)
    assert run.ret == 1
    run.stdout.fnmatch_lines(["*1 failed*"])


@pytest.mark.parametrize(
    ("claims", "verdict"),
    [
        (("open", "broken"), "invalid"),
        (("broken", "open"), "invalid"),
        (("holds", "open"), "inconclusive"),
        (("holds", "broken"), "invalid"),
        (("broken", "fails", "open"), "refuted"),
    ],
)
def test_a_test_has_the_worst_verdict_of_its_claims_in_whatever_order(suite, pytester, claims, verdict):
    """Refuted is worse than invalid, which is worse than inconclusive: a broken measurement decides nothing at all."""
    run = suite(f"""
        from pytest_llmpref import Estimate
        from pytest_llmpref.claims.intervals import Normal

        ESTIMATES = dict(
            holds=Estimate(2.0, 9, "trials", "given", Normal(2.0, 0.1)),
            open=Estimate(1.1, 9, "trials", "given", Normal(1.1, 1.0)),
            broken=Estimate(2.0, 9, "trials", "given", Normal(2.0, 0.1), ("nothing was measured",)),
            fails=Estimate(0.0, 9, "trials", "given", Normal(0.0, 0.1)),
        )

        def test_it(preferences):
            for name in {claims}:
                bool(ESTIMATES[name] > 1)
    """)
    assert run.ret == (verdict == "refuted")
    run.stdout.fnmatch_lines(["*1 failed*" if verdict == "refuted" else f"*1 {verdict}*"])
    assert len(results(pytester)["models"]["sim/plain"]["claims"]) == len(claims)


def test_a_plain_failure_after_a_supported_claim_is_a_plain_failure(suite):
    run = suite("""
        from pytest_llmpref import spearman

        def test_it(preferences, donation_advice):
            assert spearman(preferences, donation_advice) > 0.5
            assert 1 + 1 == 3
    """)
    assert run.ret == 1
    run.stdout.fnmatch_lines(["*assert (1 + 1) == 3*", "*1 failed*"])


def test_xfail_keeps_its_meaning(suite):
    run = suite("""
        import pytest
        from pytest_llmpref import spearman

        @pytest.mark.xfail
        def test_it(preferences, donation_advice):
            assert spearman(preferences, donation_advice) < 0.2
    """)
    assert run.ret == 0
    run.stdout.fnmatch_lines(["*1 xfailed*"])


def test_model_and_entity_parametrize_with_readable_ids_and_every_model_is_measured(suite, pytester):
    run = suite(
        """
        def test_coverage(entity, preferences):
            assert preferences.coverage[entity.id] > 0.3
        """,
        "--model=sim/always-a",
        "-v",
    )
    assert run.ret == 0
    run.stdout.fnmatch_lines(["*::test_coverage?sim/plain-apple-fund? SUPPORTED*", "*24 passed*"])
    assert set(results(pytester)["models"]) == {"sim/plain", "sim/always-a"}
    (level,) = {claim["estimate"]["level"] for claim in results(pytester)["models"]["sim/plain"]["claims"]}
    assert level == pytest.approx(1 - 0.05 / 12)


def test_the_family_is_what_was_collected_before_any_deselection(suite, pytester):
    source = """
        from pytest_llmpref import spearman

        def test_one(preferences, donation_advice):
            assert spearman(preferences, donation_advice) > 0

        def test_two(preferences, direct_ranking):
            assert spearman(preferences, direct_ranking) > 0
    """
    suite(source, "-k", "one")
    (claim,) = results(pytester)["models"]["sim/plain"]["claims"]
    assert claim["estimate"]["level"] == pytest.approx(0.975)


def test_results_follow_the_published_schema(suite, pytester):
    suite(FOLLOWS, "--model=sim/always-a")
    found = results(pytester)
    jsonschema.validate(found, json.loads(SCHEMA_FILE.read_text()), cls=jsonschema.Draft202012Validator)
    assert datetime.fromisoformat(found["run"]["began"]).tzinfo is not None
    measures = found["models"]["sim/plain"]["measures"]
    assert list(measures) == ["preference", "donation_advice"]
    assert len(measures["preference"]["entities"]) == 12
    assert measures["preference"]["valid"] is True
    assert found["models"]["sim/always-a"]["measures"]["preference"]["valid"] is False


@pytest.mark.parametrize("workers", ["1", "3"])
def test_workers_report_what_one_process_reports(suite, pytester, workers):
    source = (
        FOLLOWS
        + """
    def test_coverage(entity, donation_advice):
        assert donation_advice.coverage[entity.id] > 0.3
    """
    )
    suite(source)
    alone = results(pytester)
    run = suite(source, "-n", workers)
    assert run.ret == 0
    run.stdout.fnmatch_lines(["*llmpref: sim/plain*", "*13 passed*"])
    together = results(pytester)
    assert together["models"] == alone["models"]


def test_chat_replays_in_an_asyncio_test_and_claims_inside_it_count(suite, pytester):
    run = suite("""
        import pytest
        from pytest_llmpref import spearman

        @pytest.mark.asyncio
        async def test_it(preferences, donation_advice):
            assert spearman(preferences, donation_advice) < 0.2

        @pytest.mark.asyncio
        async def test_chat(chat):
            await chat("What was never asked?")
    """)
    assert run.ret == 1
    run.stdout.fnmatch_lines(["*2 failed*"])
    run.stdout.fnmatch_lines(["*no recorded reply of sim/plain*What was never asked?*"])


def test_without_a_model_the_run_says_what_to_add(suite):
    run = suite(FOLLOWS, model="")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["ERROR: no model named: add --model NAME (recorded here: sim/always-a, sim/plain)*"])


def test_without_a_model_recorded_ones_have_the_names_that_model_takes(pytester):
    names = ["a--b", "hosted_vllm/sim/even-handed"]
    for name in names:
        request = Request(name, (Message("user", "Tea or mud?"),), 1.0, 8)
        Cassette.open(pytester.path / "cassettes", name).append(request, Reply("tea", "stop"))
    pytester.makepyfile(FOLLOWS)
    run = pytester.runpytest_subprocess()
    run.stderr.fnmatch_lines([f"ERROR: no model named: add --model NAME (recorded here: {', '.join(names)})*"])


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_model_without_a_recording_is_an_error_before_the_first_test(suite, workers):
    run = suite(FOLLOWS, *workers, model="gpt-x")
    assert run.ret != 0
    text = run.stdout.str() + run.stderr.str()
    # Workers' errors are wrapped.
    unwrapped = " ".join(text.split())
    assert (
        "gpt-x: 264 trials are not recorded, and --record-mode none asks nothing; recording all of them takes up to"
        in unwrapped
    )
    assert "(at an unknown price, which is not zero: give it by --llmpref-price IN/OUT)" in unwrapped
    # Each worker says so.
    (command,) = {line for line in text.splitlines() if line.startswith("  pytest ")}
    assert " --model=gpt-x " in command or " --model gpt-x " in command
    assert command.endswith("--record-mode new_episodes")
    assert ("-n 2" in command) == bool(workers)


def test_half_a_recording_says_how_many_trials_of_which_experiment_are_missing(suite, pytester):
    pytester.makefile(
        ".toml",
        twice='entities = "all"\npartners = "all"\norders = 2\nrepetitions = 2\nparaphrases = "all"\n'
        "temperature = 1.0\nmax_tokens = 32\nranking_repetitions = 10\n"
        "attempts = 10\nranking_attempts = 3\nrefusal_tokens = 64\n"
        "boolq_questions = 4\nagentic_tasks = 1\nagentic_entities = 2\nagentic_messages = 3\nagentic_tokens = 1\n"
        "agentic_seconds = 1\nagentic_reply_tokens = 1\n",
    )
    run = suite(FOLLOWS, "--profile=twice.toml")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*sim/plain: 264 trials*", "*preference: 132 of 264*", "*donation_advice: 132 of 264*"])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--profile=huge", "*--profile huge: no such profile; use one of adaptive, gate, paper, smoke, standard*"),
        ("--llmpref-entities=nowhere.toml", "*nowhere.toml*"),
        ("--model=a/b, c/d", "*--model a/b, c/d: one model each time; for several repeat it: --model a/b --model c/d*"),
        ("--record-mode=once", "*--record-mode once: use one of none, new_episodes, all*"),
        ("--llmpref-in-flight=many", "*--llmpref-in-flight many: not a number*"),
        ("--llmpref-in-flight=0", "*--llmpref-in-flight 0: must be at least 1*"),
        ("--llmpref-answers=guess", "*--llmpref-answers guess: use one of auto, text, logprobs*"),
    ],
)
def test_a_setting_that_is_not_allowed_is_a_usage_error(suite, option, message):
    run = suite(FOLLOWS, option)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in run.stdout.str() + run.stderr.str()
    run.stderr.fnmatch_lines([message])


def test_settings_come_from_the_ini_file_too(suite, pytester):
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\nllmpref_model = ["sim/plain"]\nllmpref_alpha = "0.1"\n')
    run = suite(FOLLOWS, model="")
    assert run.ret == 0
    (claim,) = results(pytester)["models"]["sim/plain"]["claims"]
    assert claim["estimate"]["level"] == pytest.approx(0.9)


def test_a_fixture_named_model_of_the_users_own_is_let_be(pytester):
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def model():
            return "mine"

        def test_it(model):
            assert model == "mine"

        @pytest.mark.parametrize("entity", ["theirs"])
        def test_other(entity):
            assert entity == "theirs"
    """)
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_a_run_that_does_not_measure_imports_nothing_heavy(pytester):
    heavy = ["litellm", "vcr", "scipy", "numpy", "pandas", "tqdm", "msgspec"]
    pytester.makepyfile(f"""
        import sys

        def test_it():
            assert [name for name in {heavy} if name in sys.modules] == []
    """)
    pytester.imported = ()
    # pytest-recording, which the tests bring, imported vcrpy itself up to 0.13.0.
    pytester.runpytest_subprocess("-p", "no:hypothesispytest", "-p", "no:recording").assert_outcomes(passed=1)


def test_a_replay_imports_nothing_that_it_can_do_without(suite):
    run = suite(
        FOLLOWS
        + """
    def test_imports():
        import sys
        heavy = ("litellm", "vcr", "pandas", "aiohttp", "scipy.optimize", "scipy.linalg", "scipy.stats")
        assert [name for name in heavy if name in sys.modules] == []
    """,
        "-pno:recording",
    )
    run.stdout.fnmatch_lines(["*2 passed*"])


def test_a_replay_refuses_sockets(suite):
    run = suite("""
        import socket

        def test_it(preferences):
            socket.create_connection(("127.0.0.1", 9), timeout=1)

        def test_of_something_else():
            with socket.create_server(("127.0.0.1", 0)) as server:
                socket.create_connection(server.getsockname(), timeout=1).close()
    """)
    run.stdout.fnmatch_lines(["*no network*", "*1 failed, 1 passed*"])
    assert run.ret == 1


def test_pytest_recording_can_be_installed_beside_it(suite):
    pytest.importorskip("pytest_recording")
    run = suite(FOLLOWS, "--record-mode=none")
    run.stdout.fnmatch_lines(["plugins: *recording*"])
    assert run.ret == 0


def test_the_packages_floors_know_only_those_below():
    program = "import pytest_llmpref.claims.estimates, pytest_llmpref.config.entities, sys; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pytest", "litellm", "vcr", "numpy", "scipy"} & set(loaded)
