"""From plan to measure, on simulated models with planted truths."""

import asyncio
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from planted import PlantedModel
from scipy import stats

from pytest_llmpref import attenuation_corrected, residuals, spearman, within_groups
from pytest_llmpref.entities import load_entities
from pytest_llmpref.estimates import Estimate, Exact, Verdict
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.donation import donation_advice
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.pairwise import pairwise_preference
from pytest_llmpref.experiments.prompts import load_prompts
from pytest_llmpref.experiments.ranking import direct_ranking
from pytest_llmpref.experiments.trials import Attempt, Outcome, Trial
from pytest_llmpref.models.chat import CallFailedError, ModelUnavailableError, Reply
from pytest_llmpref.profiles import load_profile

ENTITIES = load_entities()
CONDITIONS = Conditions("sim/planted", ENTITIES, load_profile("standard"), seed=0, answers="auto", prefill="cue")


def utilities(seed=1, spread=1.0):
    rng = np.random.default_rng(seed)
    return dict(zip([entity.name for entity in ENTITIES], rng.normal(0, spread, len(ENTITIES)), strict=True))


def measure(experiment, model, conditions=CONDITIONS):
    plan = experiment.plan(conditions)
    replies = asyncio.run(ask_all(model, plan, range(len(plan.requests)), in_flight=16))
    return experiment.analyse(conditions, plan, replies)


def truth(planted, found):
    names = {entity.id: entity.name for entity in ENTITIES}
    return stats.spearmanr([planted[names[id_]] for id_ in found.values], list(found.values.values())).statistic


@pytest.mark.parametrize("logprobs", [False, True])
def test_planted_preferences_are_found_by_every_experiment(logprobs):
    planted = utilities()
    model = PlantedModel(planted, logprobs=logprobs)
    preferences = measure(pairwise_preference(), model)
    advice = measure(donation_advice(), model)
    ranking = measure(direct_ranking(), model)
    for found in (preferences, advice, ranking):
        assert found.valid, found.reasons
        assert truth(planted, found) > 0.9
        assert found.diagnostics["coverage"] == 1.0
    assert set(preferences.diagnostics["answered_by"]) == {"logprobs" if logprobs else "text"}
    assert (spearman(preferences, advice) > 0.5).verdict is Verdict.SUPPORTED
    assert (within_groups(preferences, advice) > 0).verdict is Verdict.SUPPORTED
    assert attenuation_corrected(preferences, advice).value >= spearman(preferences, advice).value
    assert (preferences.coverage["unicef"] > 0.75).verdict is Verdict.SUPPORTED


def test_residuals_find_the_one_entity_whose_advice_departs():
    planted = utilities()
    preferences = measure(pairwise_preference(), PlantedModel(planted))
    departed = planted | {"UNICEF": planted["UNICEF"] - 3.0}
    advice = measure(donation_advice(), PlantedModel(departed))
    found = residuals(advice, preferences)
    assert min(found, key=lambda id_: found[id_].value) == "unicef"
    assert (found["unicef"] < -200).verdict is Verdict.SUPPORTED
    others = [estimate.interval() for id_, estimate in found.items() if id_ != "unicef"]
    covered = np.mean([interval.low < 0 < interval.high for interval in others])
    assert covered > 0.85  # 95% by construction; 71 intervals, binomial standard error 2.6 points


def test_a_model_that_likes_nothing_gives_no_valid_preference():
    found = measure(pairwise_preference(), PlantedModel(utilities(spread=0.0)))
    assert not found.valid
    assert any("reliability" in reason for reason in found.reasons)


@pytest.mark.parametrize("always", ["A", "B"])
def test_a_model_that_always_answers_one_letter_is_invalid_and_so_is_every_claim_on_it(always):
    found = measure(pairwise_preference(), PlantedModel(utilities(), always=always))
    assert not found.valid
    assert any(f"labelled {always} is chosen 100.0%" in reason for reason in found.reasons)
    good = measure(donation_advice(), PlantedModel(utilities()))
    claim = spearman(found, good) > 0.5
    assert claim.verdict is Verdict.INVALID
    assert "labelled" in claim.explain()


def test_position_and_label_bias_are_reported_and_do_not_make_a_preference():
    planted = utilities()
    paper = replace(CONDITIONS, profile=load_profile("paper"))
    found = measure(pairwise_preference(), PlantedModel(planted, position=1.5, label=1.0), paper)
    assert found.diagnostics["position_bias"]["value"] > 0.6
    assert found.diagnostics["label_bias"]["value"] > 0.55
    assert found.valid, found.reasons
    assert truth(planted, found) > 0.9


class Refusing(PlantedModel):
    """Refuses whatever mentions one entity."""

    async def ask(self, request):
        reply = await super().ask(request)
        if "UNICEF" in request.messages[-1].content:
            return Reply("I'm sorry, but I can't choose.", "stop")
        return reply


def test_refusals_are_counted_by_entity_and_never_become_losses():
    found = measure(pairwise_preference(), Refusing(utilities()))
    counts = found.diagnostics["outcomes_by_entity"]
    assert counts["unicef"]["refusal"] == 48
    assert counts["unicef"]["choice"] == 0
    assert found.diagnostics["outcomes"]["refusal"] == 48
    assert np.isnan(found["unicef"].value)
    assert sum(found.diagnostics["outcomes"].values()) == len(found.trials) == 1728
    assert (found.coverage["unicef"] > 0.75).verdict is Verdict.REFUTED


class Shy(PlantedModel):
    """Refuses the first two times that anything is asked of it."""

    async def ask(self, request):
        reply = await super().ask(request)
        return reply if request.repetition >= 2 else Reply("I'm sorry, but I can't say.", "stop")


def test_a_question_is_asked_again_until_the_answer_is_valid():
    model = Shy(utilities())
    found = measure(pairwise_preference(), model)
    assert model.asked == found.diagnostics["attempts"] == 3 * 1728
    assert found.diagnostics["coverage"] == 1.0
    assert truth(model.utilities, found) > 0.9
    trial = found.trials[0]
    assert [attempt.outcome for attempt in trial.attempts] == [Outcome.REFUSAL, Outcome.REFUSAL, Outcome.CHOICE]
    assert len({attempt.key for attempt in trial.attempts}) == 3


def test_a_trial_ends_after_the_most_attempts_that_the_profile_allows():
    model = Shy(utilities())
    found = measure(pairwise_preference(), model, replace(CONDITIONS, profile=replace(CONDITIONS.profile, attempts=2)))
    assert model.asked == 2 * 1728
    assert found.diagnostics["outcomes"]["refusal"] == 1728


class Failing(PlantedModel):
    """Fails every tenth call."""

    async def ask(self, request):
        reply = await super().ask(request)
        if self.asked % 10 == 0:
            raise CallFailedError("HTTP 400: this prompt is not accepted")
        return reply


def test_failed_calls_are_outcomes_of_their_own():
    found = measure(pairwise_preference(), Failing(utilities()))
    assert found.diagnostics["outcomes"]["error"] == 172
    assert {trial.text for trial in found.trials if trial.outcome is Outcome.ERROR} == {
        "HTTP 400: this prompt is not accepted"
    }


class Unavailable(PlantedModel):
    """Cannot be asked."""

    async def ask(self, request):
        self.asked += 1
        raise ModelUnavailableError("no such model")


def test_an_unavailable_model_is_found_out_with_the_first_question():
    model = Unavailable(utilities())
    with pytest.raises(ModelUnavailableError, match="no such model"):
        measure(pairwise_preference(), model)
    assert model.asked == 1


class Echoing(PlantedModel):
    """Repeats the list as it is shown."""

    def _rank(self, text, request):
        return Reply(text.split("\n- ", 1)[1].split("\n\n")[0].replace("\n- ", "; "), "stop")


def test_a_ranking_that_repeats_the_list_as_shown_is_invalid():
    found = measure(direct_ranking(), Echoing(utilities()))
    assert not found.valid
    assert any("repeat the order" in reason for reason in found.reasons)


def test_answers_by_text_are_text_even_where_log_probabilities_were_returned():
    model = PlantedModel(utilities(), logprobs=True)
    found = measure(pairwise_preference(), model, replace(CONDITIONS, answers="text"))
    assert set(found.diagnostics["answered_by"]) == {"text"}
    assert {trial.score for trial in found.trials} == {0.0, 1.0}


class Unread(PlantedModel):
    """Gives log-probabilities that name neither label with one request in forty."""

    async def ask(self, request):
        reply = await super().ask(request)
        lost = int(request.key[:4], 16) % 40 == 0
        return msgspec.structs.replace(reply, top_logprobs={"The": -0.1}) if lost else reply


def test_a_sampled_letter_is_no_answer_among_probabilities():
    found = measure(pairwise_preference(), Unread(utilities(), logprobs=True))
    unread = [trial for trial in found.trials if trial.score is None]
    assert {trial.outcome for trial in unread} == {Outcome.UNPARSEABLE}
    assert 0 < len(unread) < 0.05 * len(found.trials)
    assert set(found.diagnostics["answered_by"]) == {"logprobs"}


def test_the_key_of_a_request_does_not_depend_on_how_answers_are_read():
    experiment = pairwise_preference()
    by_text = [request.key for request in experiment.plan(replace(CONDITIONS, answers="text")).requests]
    assert by_text == [request.key for request in experiment.plan(CONDITIONS).requests]
    assert len(set(by_text)) == len(by_text)


def test_donation_prompts_never_mention_what_the_assistant_likes():
    prompts = load_prompts("donation")
    for wording in range(prompts.wordings):
        text = prompts.render(wording, first_label="A", second_label="B", first="X", second="Y").casefold()
        assert not any(word in text for word in ("prefer", "you like", "you feel", "favour", "your opinion"))


def test_a_name_with_braces_is_shown_as_it_is():
    text = load_prompts("pairwise").render(0, first_label="A", second_label="B", first="{second}", second="%s {0}")
    assert "Option A: {second}" in text
    assert "Option B: %s {0}" in text


def test_a_profile_may_use_fewer_wordings():
    one = replace(CONDITIONS, profile=replace(CONDITIONS.profile, paraphrases=1))
    texts = [request.messages[0].content for request in pairwise_preference().plan(one).requests]
    assert {text.split("\n")[0] for text in texts} == {"Which of these two do you like more?"}


def measured(outcomes):
    """A measure with one entity, whose trials ended so."""
    trials = tuple(Trial((Attempt(str(number), outcome, ""),), ("google",)) for number, outcome in enumerate(outcomes))
    value = Estimate(1500.0, len(trials), "trials", "by hand", Exact(1500.0))
    return Measure("preference", "sim/x", {"google": value, "unicef": value}, {}, (), None, {}, trials)


@pytest.mark.parametrize(
    ("choices", "truncated", "refused", "reason"),
    [
        (18, 2, 0, ()),
        (17, 3, 0, ("replies were cut at max_tokens: 3 of 20 trials, more than 10%",)),
        (17, 0, 3, ()),
        (14, 2, 4, ()),
        (14, 3, 3, ("replies were cut at max_tokens: 3 of 20 trials, more than 10%",)),
    ],
)
def test_coverage_says_nothing_of_the_model_where_more_than_a_tenth_of_the_replies_were_cut(
    choices, truncated, refused, reason
):
    outcomes = [Outcome.CHOICE] * choices + [Outcome.TRUNCATED] * truncated + [Outcome.REFUSAL] * refused
    coverage = measured(outcomes).coverage["google"]
    assert coverage.value == choices / 20
    assert coverage.invalid == reason
    assert ((coverage > 0.99).verdict is Verdict.INVALID) is bool(reason)


def test_a_measure_is_read_like_a_mapping():
    found = measured([Outcome.CHOICE])
    assert list(found) == ["google", "unicef"]
    assert len(found) == 2
    google = replace(next(iter(ENTITIES)), id="google")
    assert "google" in found
    assert google in found
    assert "gogle" not in found
    assert 3 not in found
    assert found[google] is found["google"]


@pytest.mark.parametrize(
    ("name", "hint"), [("gogle", "did you mean 'google'"), ("zzzz", "their ids are in list(measure)")]
)
def test_an_unknown_entity_is_named_with_what_was_meant(name, hint):
    with pytest.raises(KeyError, match=f"preference of sim/x has no entity '{name}' among its 2.*") as caught:
        measured([Outcome.CHOICE])[name]
    assert hint in str(caught.value)
