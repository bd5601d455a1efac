"""From plan to measure, on simulated models with planted truths."""

import asyncio
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from planted import PlantedModel
from scipy import stats
from simulated_comparisons import comparisons_of, every_ordered_pair

from pytest_llmpref import attenuation_corrected, residuals, spearman, within_groups
from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.claims.intervals import Exact
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.measure import Measure, reliability_reasons
from pytest_llmpref.experiments.pairs import Advice, Preference
from pytest_llmpref.experiments.pairs.measure import rate
from pytest_llmpref.experiments.ranking.experiment import direct_ranking
from pytest_llmpref.experiments.refusal.experiment import refusals
from pytest_llmpref.experiments.trials import Trial, load_prompts
from pytest_llmpref.models.chat import CallFailedError, ModelUnavailableError, Reply
from pytest_llmpref.parsing.outcome import Attempt, Outcome

ENTITIES = load_entities()
CONDITIONS = Conditions("sim/planted", ENTITIES, load_profile("standard"), seed=0, answers="auto", prefill="cue")
SMOKE = replace(CONDITIONS, profile=load_profile("smoke"))
"""288 questions instead of 1,728, for what takes no number of them to see."""


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
    preferences = measure(Preference().experiment(), model)
    advice = measure(Advice().experiment(), model)
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
    preferences = measure(Preference().experiment(), PlantedModel(planted))
    departed = planted | {"UNICEF": planted["UNICEF"] - 4.0}
    advice = measure(Advice().experiment(), PlantedModel(departed))
    found = residuals(advice, preferences)
    assert min(found, key=lambda id_: found[id_].value) == "unicef"
    assert (found["unicef"] < -200).verdict is Verdict.SUPPORTED
    others = [estimate.interval() for id_, estimate in found.items() if id_ != "unicef"]
    covered = np.mean([interval.low < 0 < interval.high for interval in others])
    assert covered > 0.85  # 95% by construction; 71 intervals, binomial standard error 2.6 points


def test_residuals_need_four_entities():
    found = measure(Preference().experiment(), PlantedModel(utilities()), SMOKE)
    part = {id_: found.estimates[id_] for id_ in list(found.estimates)[:4]}
    assert len(residuals(replace(found, estimates=part), found)) == 4
    part.popitem()
    with pytest.raises(ValueError, match="at least 4 entities in both measures, and there are 3"):
        residuals(replace(found, estimates=part), found)


def test_a_model_that_likes_nothing_gives_no_valid_preference():
    found = measure(Preference().experiment(), PlantedModel(utilities(spread=0.0)))
    assert not found.valid
    assert any("reliability" in reason for reason in found.reasons)


@pytest.mark.parametrize("always", ["A", "B"])
def test_a_model_that_always_answers_one_letter_is_invalid_and_so_is_every_claim_on_it(always):
    found = measure(Preference().experiment(), PlantedModel(utilities(), always=always), SMOKE)
    assert not found.valid
    assert any(f"labelled {always} is chosen 100.0%" in reason for reason in found.reasons)
    good = measure(Advice().experiment(), PlantedModel(utilities()), SMOKE)
    claim = spearman(found, good) > 0.5
    assert claim.verdict is Verdict.INVALID
    assert "labelled" in claim.explain()


def test_position_and_label_bias_are_reported_and_do_not_make_a_preference():
    planted = utilities()
    paper = replace(CONDITIONS, profile=load_profile("paper"))
    found = measure(Preference().experiment(), PlantedModel(planted, position=1.5, label=1.0), paper)
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
    found = measure(Preference().experiment(), Refusing(utilities()))
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
    found = measure(Preference().experiment(), model)
    assert model.asked == found.diagnostics["attempts"] == 3 * 1728
    assert found.diagnostics["coverage"] == 1.0
    assert truth(model.utilities, found) > 0.9
    trial = found.trials[0]
    assert [attempt.outcome for attempt in trial.attempts] == [Outcome.REFUSAL, Outcome.REFUSAL, Outcome.CHOICE]
    assert len({attempt.key for attempt in trial.attempts}) == 3


def test_a_trial_ends_after_the_most_attempts_that_the_profile_allows():
    model = Shy(utilities())
    found = measure(Preference().experiment(), model, replace(SMOKE, profile=replace(SMOKE.profile, attempts=2)))
    assert model.asked == 2 * 288
    assert found.diagnostics["outcomes"]["refusal"] == 288


class Failing(PlantedModel):
    """Fails every tenth call."""

    async def ask(self, request):
        reply = await super().ask(request)
        if self.asked % 10 == 0:
            raise CallFailedError("HTTP 400: this prompt is not accepted")
        return reply


def test_failed_calls_are_outcomes_of_their_own():
    found = measure(Preference().experiment(), Failing(utilities()), SMOKE)
    assert found.diagnostics["outcomes"]["error"] == 28
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
        measure(Preference().experiment(), model)
    assert model.asked == 1


class Echoing(PlantedModel):
    """Repeats the list as it is shown, or nearly so."""

    swapped = False
    """Whether the last two change places."""

    def _rank(self, text, request):
        names = text.split("\n- ", 1)[1].split("\n\n")[0].split("\n- ")
        return Reply("; ".join([*names[:-2], names[-1], names[-2]] if self.swapped else names), "stop")


def test_the_list_as_shown_is_no_ranking():
    found = measure(direct_ranking(), Echoing(utilities()))
    assert not found.valid
    assert {trial.outcome for trial in found.trials} == {Outcome.UNPARSEABLE}


def test_rankings_that_nearly_repeat_the_list_as_shown_are_invalid():
    model = Echoing(utilities())
    model.swapped = True
    found = measure(direct_ranking(), model)
    assert {trial.outcome for trial in found.trials} == {Outcome.CHOICE}
    assert not found.valid
    assert any("repeat the order" in reason for reason in found.reasons)


def test_answers_by_text_are_text_even_where_log_probabilities_were_returned():
    model = PlantedModel(utilities(), logprobs=True)
    found = measure(Preference().experiment(), model, replace(SMOKE, answers="text"))
    assert set(found.diagnostics["answered_by"]) == {"text"}
    assert {trial.score for trial in found.trials} == {0.0, 1.0}


class Unread(PlantedModel):
    """Gives log-probabilities that name neither label with one request in forty."""

    async def ask(self, request):
        reply = await super().ask(request)
        lost = int(request.key[:4], 16) % 40 == 0
        return msgspec.structs.replace(reply, top_logprobs={"The": -0.1}) if lost else reply


def test_a_sampled_letter_is_no_answer_among_probabilities():
    found = measure(Preference().experiment(), Unread(utilities(), logprobs=True))
    unread = [trial for trial in found.trials if trial.score is None]
    assert {trial.outcome for trial in unread} == {Outcome.UNPARSEABLE}
    assert 0 < len(unread) < 0.05 * len(found.trials)
    assert set(found.diagnostics["answered_by"]) == {"logprobs"}


def test_the_key_of_a_request_does_not_depend_on_how_answers_are_read():
    experiment = Preference().experiment()
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
    texts = [request.messages[0].content for request in Preference().experiment().plan(one).requests]
    assert {text.split("\n")[0] for text in texts} == {"Which of these two do you like more?"}


ONCE = replace(
    CONDITIONS, profile=replace(load_profile("smoke"), attempts=1, ranking_attempts=1, ranking_repetitions=10)
)
"""288 questions about pairs, and ten rankings, each asked once."""


def analysed(experiment, model, replaced, conditions=ONCE):
    """Return the measure of a model some of whose replies are others: number of the trial -> its reply."""
    plan = experiment.plan(conditions)
    replies = asyncio.run(ask_all(model, plan, range(len(plan.requests)), in_flight=16))
    return experiment.analyse(conditions, plan, [(replaced.get(n, old[0]),) for n, old in enumerate(replies)])


def every(step, count, reply):
    """Replace the replies to so many trials, each so many after the last."""
    return {step * number: reply for number in range(count)}


MUMBLED = Reply("Hm.", "stop")


@pytest.mark.parametrize(
    ("experiment", "enough", "too_few"),
    [
        (
            Preference().experiment(),
            every(9, 28, MUMBLED),
            every(9, 29, MUMBLED),
        ),  # 260 and 259 of 288: 90.3% and 89.9%
        (Advice().experiment(), every(9, 28, MUMBLED), every(9, 29, MUMBLED)),
        (direct_ranking(), every(1, 1, MUMBLED), every(1, 2, MUMBLED)),  # 9 and 8 of 10: 90% and 80%
    ],
    ids=lambda value: getattr(value, "measure", None),
)
def test_a_measure_is_invalid_below_90_percent_of_choices_and_not_at_it(experiment, enough, too_few):
    """The limit is the paper's, which reports more than 90% valid trials."""
    model = PlantedModel(utilities(spread=2.0))
    assert not any("coverage" in reason for reason in analysed(experiment, model, enough).reasons)
    (reason,) = (r for r in analysed(experiment, model, too_few).reasons if "coverage" in r)
    assert "is below 90%" in reason


def test_a_ranking_is_read_from_90_percent_of_the_list_on():
    """65 of 72 entities are 90.3%, and 64 are 88.9%."""
    names = [entity.name for entity in ENTITIES]
    found = analysed(
        direct_ranking(),
        PlantedModel(utilities()),
        {0: Reply("; ".join(names[:65]), "stop"), 1: Reply("; ".join(names[:64]), "stop")},
    )
    assert [trial.outcome for trial in found.trials[:3]] == [Outcome.CHOICE, Outcome.UNPARSEABLE, Outcome.CHOICE]
    assert found.diagnostics["missing"] == 7 + 8


@pytest.mark.parametrize(("value", "valid"), [(0.50, True), (0.499, False), (-0.2, False), (float("nan"), False)])
def test_a_reliability_below_one_half_is_noise_for_the_most_part(value, valid):
    assert (reliability_reasons(Estimate(value, 72, "entities", "given", Exact(value))) == []) is valid


ORDERED = 16 * 15


@pytest.mark.parametrize("other_side", [False, True])
@pytest.mark.parametrize(("chosen", "invalid"), [(228, True), (227, False)])  # of 240: 95% and 94.6%
def test_one_position_or_label_at_95_percent_carries_no_preference(chosen, invalid, other_side):
    _, _, first_is_a = every_ordered_pair(16)
    often = np.arange(ORDERED) < chosen
    often = ~often if other_side else often
    chose_a = np.random.default_rng(1).permutation(often)
    ways = {
        f"option shown {'second' if other_side else 'first'}": often,
        f"option labelled {'B' if other_side else 'A'}": np.where(first_is_a, chose_a, ~chose_a),
    }
    for way, first_chosen in ways.items():
        reasons = rate(comparisons_of(first_chosen, 16), [str(n) for n in range(16)], {}, seed=0, splits=1).reasons
        assert any(f"one-sided: the {way} is chosen" in reason for reason in reasons) is invalid


@pytest.mark.parametrize(("unread", "answered_by"), [(14, "logprobs"), (15, "text")])
def test_log_probabilities_are_the_answers_where_95_percent_can_be_read(unread, answered_by):
    """Of 288: 274 are 95.1%, and 273 are 94.8%. A call that failed has none, and does not count."""
    model = PlantedModel(utilities(), logprobs=True)
    lost = every(15, unread, Reply(" A", "stop", top_logprobs={"The": -0.1}))
    assert set(analysed(Preference().experiment(), model, lost).diagnostics["answered_by"]) == {answered_by}
    failed = {number + 1: Reply("HTTP 400", "error") for number in lost}
    if answered_by == "logprobs":
        found = analysed(Preference().experiment(), model, every(20, 13, lost[0]) | failed)
        assert set(found.diagnostics["answered_by"]) == {answered_by}  # 261 of 274: 95.3%; of 288 they were 90.6%


def test_a_rank_is_the_share_of_the_other_listed_entities_below_it():
    """1 for the first and 0 for the last, also where a few entities are left out."""
    names = {entity.name: entity.id for entity in ENTITIES}
    listed = list(names)[::-1]
    for ranked in (listed, listed[:70]):
        ranks = dict.fromkeys(range(10), Reply("; ".join(ranked), "stop"))
        found = analysed(direct_ranking(), PlantedModel({}), ranks)
        below = {name: len(ranked) - 1 - ranked.index(name) for name in ranked}
        for name, count in below.items():
            assert found[names[name]].value == pytest.approx(count / (len(ranked) - 1))
        assert (found[names[ranked[0]]].value, found[names[ranked[-1]]].value) == (1, 0)
        assert np.isnan([found[names[name]].value for name in set(listed) - set(ranked)]).all()


@pytest.mark.parametrize(("turned", "rho", "repeats"), [(26, 0.906, True), (27, 0.895, False)])
def test_a_ranking_repeats_the_list_from_a_rank_correlation_of_90_percent_on(turned, rho, repeats):
    shown = [trial.entities for trial in analysed(direct_ranking(), PlantedModel({}), {}).trials]
    names = {entity.id: entity.name for entity in ENTITIES}
    replies = {}
    for number, order in enumerate(shown):
        answer = [*order[:20], *order[20 : 20 + turned][::-1], *order[20 + turned :]]
        assert stats.spearmanr(range(72), [order.index(one) for one in answer]).statistic == pytest.approx(
            rho, abs=1e-3
        )
        replies[number] = Reply("; ".join(names[one] for one in answer), "stop")
    reasons = analysed(direct_ranking(), PlantedModel({}), replies).reasons
    assert any("repeat the order" in reason for reason in reasons) is repeats


def test_refusals_are_measured_where_90_percent_of_attempts_can_be_read():
    """An abstention, a refusal and a choice can be read; of 288 attempts 260 are 90.3%, and 259 are 89.9%."""
    no, neither = Reply("I'm sorry, but I can't help with that.", "stop"), Reply("Neither.", "stop")
    read = {9 * number + 1: no for number in range(20)} | {9 * number + 2: neither for number in range(20)}
    for unread, valid in ((28, True), (29, False)):
        found = analysed(refusals(), PlantedModel(utilities()), read | every(9, unread, MUMBLED))
        assert found.valid is valid, found.reasons
        assert found.diagnostics["outcomes"]["unparseable"] == unread


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
