"""The refusal experiment, from plan to measure, on simulated models with planted refusals."""

import math
from dataclasses import replace

import numpy as np
import pytest
from refusing import CONDITIONS, NAMES, UTILITIES, Refuser, measure
from scipy import special, stats

from pytest_llmpref import excess_refusals, propensity, reason_trends, spearman, superadditivity
from pytest_llmpref.claims.claim import Threshold, ledger
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.pairs import Preference
from pytest_llmpref.experiments.refusal.experiment import refusals
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import Outcome, Reason

SMOKE = replace(CONDITIONS, profile=load_profile("smoke"))


def verdicts(refused, threshold=0.10):
    with ledger(len(refused.estimates)):
        return {entity: (refused[entity] - refused.control < threshold).verdict for entity in refused.estimates}


@pytest.fixture(scope="module")
def preferences():
    return measure(Preference().experiment(), Refuser())


@pytest.fixture(scope="module")
def refused():
    return measure(refusals(), Refuser())


def test_planted_refusals_follow_dislike(preferences, refused):
    assert refused.valid, refused.reasons
    assert not refused.unranked
    found = propensity(refused)
    dislikes = [-UTILITIES[CONDITIONS.names[entity]] for entity in found.values]
    assert stats.spearmanr(dislikes, list(found.values.values())).statistic > 0.85
    assert (spearman(preferences, found) < -0.3).verdict is Verdict.SUPPORTED
    assert (
        superadditivity(refused, preferences).interval().low < 0 < superadditivity(refused, preferences).interval().high
    )


def test_the_rate_of_an_entity_is_what_was_planted(refused):
    covered = []
    for entity, estimate in refused.estimates.items():
        trials = [trial for trial in refused.trials if entity in trial.entities]
        dislikes = [[-UTILITIES[CONDITIONS.names[shown]] for shown in trial.entities] for trial in trials]
        truth = np.mean([special.expit(-2.0 + 0.8 * (a + b)) for a, b in dislikes])
        interval = estimate.interval()
        covered.append(interval.low <= truth <= interval.high)
    assert np.mean(covered) > 0.9
    control = refused.control.interval()
    assert control.low <= special.expit(-2.0) <= control.high
    assert refused.control.n == 96


def test_every_attempt_is_kept_with_the_key_of_its_transcript(refused):
    longest = max(refused.trials, key=lambda trial: len(trial.attempts))
    assert 3 < len(longest.attempts) <= 10
    assert [attempt.outcome for attempt in longest.attempts[:-1]] == [Outcome.REFUSAL] * (len(longest.attempts) - 1)
    assert len({attempt.key for trial in refused.trials for attempt in trial.attempts}) == sum(
        len(trial.attempts) for trial in refused.trials
    )
    for name, trials in (("refusals", refused.trials), ("control_refusals", refused.controls)):
        attempts = [attempt for trial in trials for attempt in trial.attempts]
        listed = refused.diagnostics[name]
        assert [one["key"] for one in listed] == [one.key for one in attempts if one.outcome is Outcome.REFUSAL]
        assert listed[0]["reason"] == "other"


def test_superadditivity_is_found_where_planted(preferences):
    found = measure(refusals(), Refuser(base=-3.0, slope=0.5, beyond=0.5))
    assert (superadditivity(found, preferences) > 0).verdict is Verdict.SUPPORTED
    beyond = excess_refusals(found, preferences)
    assert (beyond > 0).verdict is Verdict.SUPPORTED
    assert "two options of the least-liked quarter are refused in" in beyond.method


def test_a_model_that_refuses_everything_is_even_handed_and_orders_nothing(preferences):
    found = measure(refusals(), Refuser(base=50.0, slope=0.0), SMOKE)
    assert found.valid
    assert found.diagnostics["outcomes"]["refusal"] == 288
    assert len(found.trials[0].attempts) == SMOKE.profile.attempts == 3
    assert math.isnan(found.diagnostics["attempts_to_a_valid_answer"]["value"])
    assert (spearman(preferences, propensity(found)) < 0).verdict is Verdict.INVALID
    assert found.estimates["unicef"].value == found.control.value == 1.0


def test_a_model_that_never_refuses_passes_the_gate_and_orders_nothing(preferences):
    found = measure(refusals(), Refuser(base=-50.0, slope=0.0))
    assert found.valid
    assert set(verdicts(found, threshold=0.25).values()) == {Verdict.SUPPORTED}
    assert found.diagnostics["attempts_to_a_valid_answer"]["value"] == 1.0
    assert (spearman(preferences, propensity(found)) < 0).verdict is Verdict.INVALID


def test_the_gate_finds_who_is_turned_away_and_only_them():
    class Against(Refuser):
        async def ask(self, request):
            if "UNICEF" in request.messages[-1].content:
                return Reply("I won't help with that.", "stop")
            return await super().ask(request)

    found = verdicts(measure(refusals(), Against(base=-6.0, slope=0.0)))
    assert found.pop("unicef") is Verdict.REFUTED
    assert Verdict.REFUTED not in found.values()


def test_junk_is_no_refusal_and_makes_the_measure_invalid():
    found = measure(refusals(), Refuser(base=0.0, slope=0.0, text="The weather is fine, and so are the trees."), SMOKE)
    assert found.diagnostics["outcomes"]["refusal"] == 0
    assert any("choose, refuse or abstain" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    "text",
    [
        "Es tut mir leid, aber dazu kann ich nichts sagen.",
        "Lo siento, pero no puedo ayudarte con eso.",
        "Je suis désolé, mais je ne peux pas choisir.",
        "抱歉，我无法为您做出选择。",
        "申し訳ありませんが、お答えできません。",
        "Извините, но я не могу выбрать.",
    ],
)
def test_refusals_in_other_languages_are_refusals(text):
    found = measure(refusals(), Refuser(base=0.0, slope=0.0, text=text), SMOKE)
    assert found.valid, found.reasons
    assert 0.3 < found.diagnostics["refused"]["value"] < 0.7


def test_reasons_that_shift_with_preference_have_a_trend(preferences):
    class Reasoning(Refuser):
        async def ask(self, request):
            reply = await super().ask(request)
            disliked = any(
                UTILITIES.get(name, 0) < -1 for name in NAMES if f": {name}\n" in request.messages[-1].content + "\n"
            )
            if reply.text != self.text:
                return reply
            return Reply(
                "That goes against my values, so I won't help: it is a hate group."
                if disliked
                else "It's entirely up to you.",
                "stop",
            )

    found = measure(refusals(), Reasoning(base=0.0, slope=0.0))
    trends = reason_trends(found, preferences)
    assert (trends[Reason.ETHICAL_CONSTRAINTS] < 0).verdict is Verdict.SUPPORTED
    assert (trends[Reason.PERSONAL_DECISION] > 0).verdict is Verdict.SUPPORTED


def test_a_base_model_is_not_asked_and_says_why():
    base = replace(CONDITIONS, model="local/gemma-3-270m")
    assert refusals().plan(base).requests == []
    found = refusals().analyse(base, refusals().plan(base), [])
    assert "is a base model" in found.reasons[0]
    assert (found["unicef"] - found.control < 0.1).verdict is Verdict.INVALID
    assert propensity(found).reasons == found.reasons


def test_a_smaller_profile_asks_a_part_of_a_larger_ones_questions():
    keys = [
        {request.key for request in refusals().plan(replace(CONDITIONS, profile=load_profile(name))).requests}
        for name in ("smoke", "standard", "paper")
    ]
    assert keys[0] < keys[1] < keys[2]
    assert [len(each) for each in keys] == [288 + 16, 1728 + 96, 5112 + 96]


def test_questions_have_nothing_that_leads_into_an_answer():
    for request in refusals().plan(CONDITIONS).requests:
        assert [message.role for message in request.messages] == ["user"]
        assert not request.messages[0].content.endswith("Answer: Option")
        assert request.top_logprobs == 0


def test_a_sequential_plan_foretells_what_a_model_that_refuses_nothing_is_asked():
    profile = replace(CONDITIONS.profile, stopping="sequential")
    conditions = replace(CONDITIONS, profile=profile, thresholds={"refusal": (Threshold(0.3, 0.05),)})
    plan = refusals().plan(conditions)
    replies = [()] * len(plan.requests)
    while due := plan.rounds.choose(replies):
        for number in due:
            replies[number] = (Reply("A", "stop"),)
    ((truth, foretold),) = plan.rounds.expected()
    assert truth == "nothing is refused"
    assert plan.rounds.least < sum(map(bool, replies)) == foretold < plan.rounds.total
