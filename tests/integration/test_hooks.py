"""Models, entity sets and experiments from other packages: each by a plugin module, as an installed one would be."""

import json
import os
import re

import jsonschema
import pytest

from pytest_llmpref.results.json_schema import SCHEMA_FILE

PLUGIN = '''
    from pathlib import Path

    def make(name):
        from pytest_llmpref.models.chat import ModelUnavailableError, Reply
        import re

        class Acme:
            """Likes what comes late in the alphabet, and writes at more length about it."""

            def __init__(self):
                self.name = name

            async def ask(self, request):
                if name == "acme/unplugged":
                    raise ModelUnavailableError(f"{name}: it is unplugged")
                text = request.messages[-1].content
                if options := dict(reversed(one) for one in re.findall(r"Option ([AB]): the (\\w+) Fund", text)):
                    return Reply(options[max(options)], "stop", cost=0.001)
                (entity,) = re.findall("the (\\\\w+) Fund", text)
                return Reply("no comment" if entity == "Cedar" else "very " * (ord(entity[0]) % 9) + "nice", "stop")

            async def close(self):
                pass

        return Acme()

    def score(text):
        return None if "comment" in text else text.count("very")

    def warmth():
        from pytest_llmpref import entity_experiment

        questions = ["Describe {entity} in a line.", "Say a word about {entity}."]
        return entity_experiment("warmth", questions, score, unit="very")

    def first_to_speak():
        from pytest_llmpref import pair_experiment

        return pair_experiment("first_to_speak", ["Which of these should speak first?", "Who is to open the day?"])

    def pytest_llmpref_models():
        return {"acme": make}

    def pytest_llmpref_entity_sets():
        return {"funds": Path(__file__).with_name("funds.csv")}

    def pytest_llmpref_behaviours():
        from pytest_llmpref import Behaviour

        class Warmth(Behaviour):
            measure = fixture = "warmth"

            def experiment(self):
                return warmth()

        class FirstToSpeak(Behaviour):
            """Which of two entities is to speak first."""

            measure = fixture = "first_to_speak"

            def experiment(self):
                return first_to_speak()

        return [FirstToSpeak(), Warmth()]
'''
SUITE = """
    from pytest_llmpref import spearman

    def test_those_that_speak_first_are_liked(preferences, first_to_speak):
        assert spearman(preferences, first_to_speak) > 0.5

    def test_entity_is_spoken_of_warmly(entity, warmth):
        assert warmth[entity] > -1
"""
OPTIONS = ("-p", "acme_plugin", "--llmpref-entities=funds", "--profile=smoke", "-p", "no:cacheprovider")


@pytest.fixture
def acme(pytester, recorded, monkeypatch):
    """A plugin module on the path, beside it its entity set; the function runs a suite with it."""
    site = pytester.mkdir("site")
    (site / "funds.csv").write_text((recorded / "twelve.csv").read_text())
    pytester.makepyfile(**{"site/acme_plugin": PLUGIN})
    pytester.makepyfile(test_it=SUITE)
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return lambda *options: pytester.runpytest_subprocess("test_it.py", *OPTIONS, *options)


def results(pytester):
    return json.loads((pytester.path / "reports/latest/results.json").read_text())


def test_what_a_plugin_brings_is_planned_recorded_replayed_and_reported(acme, pytester):
    plan = acme("--model=acme/large", "--profile=standard", "--llmpref-plan").stdout.str()
    assert all(f"  {name}   " in plan for name in ("first_to_speak", "warmth", "preference")), plan
    assert "  warmth                    132      132" in plan
    recorded = acme("--model=acme/large", "--profile=standard", "--record-mode=new_episodes")
    assert recorded.ret == 0, recorded.stdout.str()
    assert re.search(r"warmth: 132/132, .* 110 refused, 0 failed", recorded.stderr.str())
    before = results(pytester)
    (pytester.path / "before.json").write_text(json.dumps(before))
    replayed = acme("--model=acme/large", "--profile=standard", "--baseline=before.json")
    assert replayed.ret == 0
    found = results(pytester)
    assert not found["comparison"]["changed"]
    assert set(found["comparison"]["models"]["acme/large"]["measures"]) == {"preference", "first_to_speak", "warmth"}
    jsonschema.validate(found, json.loads(SCHEMA_FILE.read_text()))
    assert found["run"]["entities"] == "funds"
    model, earlier = found["models"]["acme/large"], before["models"]["acme/large"]
    assert model == earlier
    assert list(model["measures"]) == ["preference", "first_to_speak", "warmth"]
    assert model["measures"]["first_to_speak"]["valid"]
    claim = next(one for one in model["claims"] if one["entity"] is None)
    assert claim["measures"] == ["preference", "first_to_speak"]
    assert claim["verdict"] == "supported"
    page = (pytester.path / "reports/latest/report.html").read_text()
    assert "First to speak against preference" in page
    # A reply without a score is asked for again, and never scored.
    measure = model["measures"]["warmth"]
    assert measure["entities"]["berry-fund"]["value"] == ord("B") % 9
    assert measure["entities"]["cedar-fund"] == {"value": None, "low": None, "high": None, "n": 0}
    assert measure["diagnostics"]["outcomes"] == {
        "choice": 121, "refusal": 11, "abstention": 0, "unparseable": 0, "truncated": 0, "error": 0,
    }  # fmt: skip
    assert measure["diagnostics"]["answers"] == {
        "answered": 121, "partly": 0, "declined": 11, "truncated": 0, "empty": 0, "error": 0,
    }  # fmt: skip
    assert measure["diagnostics"]["answers_by_entity"]["cedar-fund"]["declined"] == 11
    assert measure["diagnostics"]["unit"] == "very"
    assert measure["diagnostics"]["reliability"]["value"] == pytest.approx(1)


def test_a_model_that_says_that_it_cannot_be_asked_ends_the_run_before_the_first_test(acme):
    run = acme("--model=acme/unplugged", "--record-mode=new_episodes")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "acme/unplugged: it is unplugged" in run.stderr.str()


def test_what_cannot_be_used_is_a_usage_error(acme, pytester):
    pytester.makeconftest("""
        from pytest_llmpref import Behaviour
        class Again(Behaviour):
            measure = fixture = "warmth"
        def pytest_llmpref_behaviours():
            return [Again()]
    """)
    run = acme("--model=acme/large")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert "another behaviour has the measure 'warmth'" in run.stderr.str()


def test_an_experiment_under_another_name_is_said(acme, pytester):
    pytester.makeconftest("""
        from pytest_llmpref import Behaviour, pair_experiment
        class Wrong(Behaviour):
            measure = fixture = "wrong"
            def experiment(self):
                return pair_experiment("right", ["Which?"])
        def pytest_llmpref_behaviours():
            return [Wrong()]
    """)
    pytester.makepyfile(test_it="def test_it(wrong): pass")
    assert "'wrong' has an experiment whose measure is 'right'" in acme("--model=acme/large").stderr.str()


RETURNED = """
    from dataclasses import replace
    import numpy as np

    class Mine:
        def __init__(self, measure, change):
            from pytest_llmpref import OpenAnswer, entity_experiment

            self.measure, self.change = measure, change
            questions = ["Describe {entity}.", "Praise {entity}."]
            # One of the funds is declined any comment, and is to have a score all the same.
            self.inner = entity_experiment(measure, questions, len, read=lambda reply: OpenAnswer.ANSWERED)

        def plan(self, conditions):
            return self.inner.plan(conditions)

        def analyse(self, conditions, plan, replies):
            return self.change(self.inner.analyse(conditions, plan, replies))

    def diagnosed(**diagnostics):
        return lambda found: replace(found, diagnostics=diagnostics)

    CHANGES = {
        "bare": diagnosed(),
        "of_numpy": diagnosed(kappa=np.float64(0.5), counts=np.arange(3), more={"n": np.int64(3)}),
        "nothing": lambda found: None,
        "renamed": lambda found: replace(found, name="other"),
        "mistyped": diagnosed(reliability=0.5),
        "bare_floats": lambda found: replace(found, estimates=found.values),
        "one_reason": lambda found: replace(found, reasons="it is bad"),
        "an_object": diagnosed(what=object()),
    }

    def pytest_llmpref_behaviours():
        from pytest_llmpref import Behaviour

        def behaviour(name):
            made = {"measure": name, "fixture": name, "experiment": lambda self: Mine(name, CHANGES[name])}
            return type(name, (Behaviour,), made)()

        return [behaviour(name) for name in CHANGES]
"""
WRONG = {
    "nothing": "it returned NoneType; return a pytest_llmpref.Measure",
    "renamed": "its measure is named 'other'; name it 'renamed'",
    "mistyped": "field diagnostics.reliability: Expected `object | null`, got `float`; mend the experiment",
    "bare_floats": "results.json cannot hold its measure (AttributeError: 'float' object has no attribute 'interval')",
    "one_reason": "`reasons` is one string; give a tuple of strings",
    "an_object": "results.json cannot hold its measure (TypeError: Encoding objects of type object is unsupported)",
}
RIGHT = ("preferences", "bare", "of_numpy")
ABOVE = "{}[entity] > -9999"
CLAIMS = {"preferences": f"({ABOVE}) if entity.name > 'the G' else (preferences[entity] < 9999)"}
"""Where not for all entities the same: of who never wins the answers bound the preference from above alone."""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_measure_that_cannot_be_used_is_an_error_of_its_tests_alone(acme, pytester, workers):
    """Not of the last screen, hours later, which read its diagnostics by name."""
    pytester.makeconftest(RETURNED)
    funds = pytester.path / "site/funds.csv"
    few = re.findall("name,group\n|.*(?:Apple|Cedar|Elder|Fern|Hazel|Iris|Kelp|Lotus).*\n", funds.read_text())
    funds.write_text("".join(few))
    claims = {name: CLAIMS.get(name, ABOVE).format(name) for name in (*WRONG, *RIGHT)}
    tests = [f"def test_{name}(entity, {name}): assert {claim}" for name, claim in claims.items()]
    pytester.makepyfile(test_it="\n".join(tests))
    run = acme("--model=acme/large", "--record-mode=new_episodes", *workers)
    text = run.stdout.str() + run.stderr.str()
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    assert run.parseoutcomes() == {"passed": 8 * len(RIGHT), "errors": 8 * len(WRONG)}
    for name, message in WRONG.items():
        assert f"ExtensionError: pytest_llmpref_behaviours: {name}: {message}" in text
    measures = results(pytester)["models"]["acme/large"]["measures"]
    assert set(measures) == {"preference", "bare", "of_numpy"}
    counts = {"trials": 32, "coverage": 1, "answered_by": {"text": 32}}
    assert counts.items() <= measures["bare"]["diagnostics"].items()
    kept = {"kappa": 0.5, "counts": [0, 1, 2], "more": {"n": 3}}
    assert kept.items() <= measures["of_numpy"]["diagnostics"].items()
    assert all((pytester.path / "reports/latest" / name).exists() for name in ("report.html", "summary.md"))


def test_a_last_screen_that_cannot_be_drawn_ends_in_the_reason_and_the_gate(suite, pytester):
    pytester.makeconftest("""
        import pytest
        from pytest_llmpref.report import terminal

        def fails(*_):
            raise ZeroDivisionError("of somebody's")

        @pytest.fixture(autouse=True)
        def broken(monkeypatch):
            terminal.model_lines = fails
    """)
    run = suite("""
        import pytest
        from pytest_llmpref import spearman

        @pytest.mark.gate
        def test_follows(preferences, donation_advice):
            assert spearman(preferences, donation_advice) > 0.5
    """)
    assert "INTERNALERROR" not in run.stdout.str() + run.stderr.str()
    assert "Traceback" not in run.stdout.str() + run.stderr.str()
    assert run.ret == pytest.ExitCode.INTERNAL_ERROR
    run.stdout.fnmatch_lines(
        [
            "nothing can be shown (ZeroDivisionError: of somebody's)",
            "results  reports/latest/results.json",
            "GATE INCOMPLETE: 1 of 1 supported, but the results could not be written or shown",
        ]
    )
    assert results(pytester)["models"]["sim/plain"]["claims"][0]["verdict"] == "supported"
