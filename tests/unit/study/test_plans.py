"""A plan is made once in a study: whatever asks, stops and analyses takes the plan that there is."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pytest_llmpref.claims.claim import Threshold
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.options import default_settings
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.pairs import questions as pair_design
from pytest_llmpref.experiments.reading.experiment import BoolQExperiment
from pytest_llmpref.experiments.registry import behaviours
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.study.answering import BackgroundLoop
from pytest_llmpref.study.study import Study

GATE = (Threshold(0.2, 0.05),)


class Silent:
    def __init__(self, *_):
        pass

    def __call__(self, reply, ended, refused):
        pass

    def close(self):
        pass


@pytest.fixture
def designs(monkeypatch):
    """How often each behaviour's questions are designed."""
    found = Counter()

    def counted(owner, name):
        design = getattr(owner, name)

        def design_counted(*arguments, **options):
            found[name] += 1
            return design(*arguments, **options)

        monkeypatch.setattr(owner, name, design_counted)

    counted(pair_design, "pair_questions")
    counted(BoolQExperiment, "_asked")
    for name in ("preference", "direct_ranking", "refusal", "boolq"):
        experiment = type(behaviours()[name].experiment())

        def plan(self, conditions, planned=experiment.plan):
            found[self.measure] += 1
            return planned(self, conditions)

        monkeypatch.setattr(experiment, "plan", plan)
    return found


def test_a_study_that_stops_early_plans_each_behaviour_once(designs, tmp_path):
    profile = replace(load_profile("smoke"), stopping="sequential", boolq_questions=16)
    thresholds = {"refusal": GATE, "boolq": GATE}
    conditions = Conditions("sim/refuser", load_entities(), profile, 0, "auto", "cue", thresholds=thresholds)
    settings = default_settings(cassettes=tmp_path, began=datetime.now(UTC))
    loop = BackgroundLoop()
    study = Study(conditions, settings, Silent, loop)
    measures = ("preference", "direct_ranking", "refusal", "boolq")
    study.prepare(measures)
    found = {name: study.measure(name) for name in measures}
    study.close()
    loop.close()
    for name in thresholds:
        assert found[name].diagnostics["stopping"]["look"] >= 1
    assert sum(found[name].diagnostics["stopping"]["looks"] for name in thresholds) > len(thresholds)
    assert {name: designs[name] for name in measures} == dict.fromkeys(measures, 1)
    assert designs["pair_questions"] == 2  # for preference, and for refusals
    assert designs["_asked"] == 1


def test_the_part_of_a_plan_that_was_asked_keeps_each_question_with_its_request():
    plan = Plan([*"abcd"], [*"ABCD"], lambda question, reply: reply.text == question, attempts=3)
    replies = [(), (Reply("b", "stop"),), (), (Reply("x", "stop"), Reply("d", "stop"))]
    part, answered = plan.asked(replies)
    assert (part.questions, part.requests) == (["b", "d"], ["B", "D"])
    assert answered == [replies[1], replies[3]]
    assert not plan.goes_on(1, replies[1])
    assert part.goes_on(1, replies[3][:1])
    assert not part.goes_on(1, replies[3])
