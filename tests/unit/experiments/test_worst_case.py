"""Bounds on correlations: whatever the missing answers would have been, rho lies between them."""

import asyncio
import math
from dataclasses import replace
from functools import cache, partial
from itertools import product

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import PlantedModel
from scipy import stats

from pytest_llmpref import propensity, spearman, within_groups, worst_case
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.pairs import Advice, Preference
from pytest_llmpref.experiments.pairs.measure import comparisons_of, missing_choices, strengths_of
from pytest_llmpref.experiments.pairs.questions import PairTrial
from pytest_llmpref.experiments.reading.measure import missing_readings
from pytest_llmpref.experiments.reading.trials import ReadingTrial
from pytest_llmpref.experiments.refusal.experiment import refusals
from pytest_llmpref.experiments.refusal.measure import attempts_of
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.experiments.worst_case import missing_in
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.stats import extremes
from pytest_llmpref.stats.rating import bradley_terry
from pytest_llmpref.stats.refusal import fit_additive

ENTITIES = load_entities()
PROFILE = replace(load_profile("smoke"), attempts=1)
CONDITIONS = Conditions("sim/planted", ENTITIES, PROFILE, seed=0, answers="auto", prefill="cue")
NAMES = [entity.name for entity in ENTITIES]
UTILITIES = dict(zip(NAMES, np.random.default_rng(1).permutation(np.linspace(-2, 2, len(NAMES))), strict=True))

# Slow: other draws of what the first two show every day.
SEEDS = [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))]


class Silent(PlantedModel):
    """Says nothing that can be read, in a share of the questions."""

    def __init__(self, share, text="Hm."):
        super().__init__(UTILITIES)
        self.share, self.text = share, text

    async def ask(self, request):
        reply = await super().ask(request)
        return Reply(self.text, "stop") if int(request.key[8:16], 16) / 2**32 < self.share else reply


def measure(experiment, model):
    plan = experiment.plan(CONDITIONS)
    replies = asyncio.run(ask_all(model, plan, range(len(plan.requests)), in_flight=16))
    return experiment.analyse(CONDITIONS, plan, replies)


replaced = msgspec.structs.replace
NAN = float("nan")


def ids_of(n):
    return [f"e{number}" for number in range(n)]


def of_values(values, name="given", missing=None, trials=()):
    ids = ids_of(len(values))
    estimates = strengths_of(comparisons_of([], ids), ids)
    estimates = {e: replace(estimates[e], value=float(v)) for e, v in zip(ids, values, strict=True)}
    return Measure(name, "a", estimates, dict.fromkeys(ids, "g"), (), None, {}, trials, missing=missing)


def of_pairs(n, trials):
    """A measure of strengths as `pair_measure` gives it, without the checks."""
    ids = ids_of(n)
    values = [estimate.value for estimate in strengths_of(comparisons_of(trials, ids), ids).values()]
    return of_values(values, "strengths", partial(missing_choices, trials, ids), trials)


def of_refusals(n, trials):
    return propensity(of_values([NAN] * n, "refusal", None, trials))


def of_readings(n, trials):
    ids = ids_of(n)
    known = {e: [t.correct for t in trials if t.entities == (e,) and t.correct is not None] for e in ids}
    values = [np.mean(known[e]) if known[e] else NAN for e in ids]
    return of_values(values, "boolq", partial(missing_readings, trials, ids), trials)


def pair_trials(rng, n, t, missing, *, probabilities=False, liked=None):
    """Choices, or probabilities, between entities drawn at random, some of them missing."""
    liked = rng.normal(size=n) if liked is None else liked
    found = []
    for number in range(t):
        one, other = rng.choice(n, 2, replace=False)
        chance = 1 / (1 + np.exp(liked[other] - liked[one]))
        score = float(np.clip(0.5 + (chance - 0.5) / 5 + rng.normal() / 20, 0.05, 0.95))
        score = score if probabilities else float(rng.random() < chance)
        outcome = Outcome.CHOICE if number >= missing else Outcome.UNPARSEABLE
        found.append(
            PairTrial(
                (Attempt("k", outcome, ""),),
                (f"e{one}", f"e{other}"),
                score=score if number >= missing else None,
                first_is_a=bool(rng.integers(2)),
            )
        )
    return found


def refusal_trials(rng, n, t, missing):
    """Trials of one to three attempts, the last of some of which cannot be read."""
    found = []
    for number in range(t):
        one, other = rng.choice(n, 2, replace=False)
        made = [Outcome.REFUSAL if rng.random() < (one + other) / (2 * n) else Outcome.CHOICE for _ in range(2)]
        if number < missing:
            made.append([Outcome.UNPARSEABLE, Outcome.TRUNCATED, Outcome.ERROR][number % 3])
        attempts = tuple(Attempt("k", outcome, "") for outcome in made)
        found.append(Trial(attempts, (f"e{one}", f"e{other}"), wording=int(rng.integers(2))))
    return found


def reading_trials(rng, n, t, missing):
    return [
        ReadingTrial(
            (Attempt("k", Outcome.CHOICE if number >= missing else Outcome.ERROR, ""),),
            (f"e{number % n}",),
            correct=bool(rng.random() < 0.7) if number >= missing else None,
        )
        for number in range(t)
    ]


def filled_pairs(n, trials, choices=(0.0, 1.0)):
    """Yield the strengths under each assignment of missing choices: slowly, and by nothing of what is tested."""
    gone = [number for number, trial in enumerate(trials) if trial.score is None]
    for answers in product(choices, repeat=len(gone)):
        whole = list(trials)
        for number, answer in zip(gone, answers, strict=True):
            whole[number] = replaced(trials[number], score=answer)
        yield bradley_terry(comparisons_of(whole, ids_of(n))).elo


def filled_refusals(n, trials):
    read = {Outcome.CHOICE, Outcome.REFUSAL, Outcome.ABSTENTION}
    gone = [
        (t, a) for t, trial in enumerate(trials) for a, each in enumerate(trial.attempts) if each.outcome not in read
    ]
    for outcomes in product((Outcome.CHOICE, Outcome.REFUSAL), repeat=len(gone)):
        whole = [list(trial.attempts) for trial in trials]
        for (t, a), outcome in zip(gone, outcomes, strict=True):
            whole[t][a] = Attempt("k", outcome, "")
        made = [replaced(trial, attempts=tuple(attempts)) for trial, attempts in zip(trials, whole, strict=True)]
        yield fit_additive(attempts_of(made, ids_of(n))).effects


def filled_readings(n, trials):
    gone = [number for number, trial in enumerate(trials) if trial.correct is None]
    for answers in product((False, True), repeat=len(gone)):
        right = dict(zip(gone, answers, strict=True))
        correct = [right.get(number, trial.correct) for number, trial in enumerate(trials)]
        of_entity = [[c for c, trial in zip(correct, trials, strict=True) if trial.entities == (e,)] for e in ids_of(n)]
        yield np.array([np.mean(each) for each in of_entity])


def extremes_of(one, other):
    """Return the least and the largest rho over every pair of assignments."""
    found = [stats.spearmanr(np.round(x, 6), np.round(y, 6)).statistic for x, y in product(list(one), list(other))]
    return min(found), max(found)


def both(bounds):
    return pytest.approx((bounds.low.value, bounds.high.value), abs=1e-9)


@cache
def advice_without(share):
    """Advice of the model that says nothing in a share of the questions."""
    return measure(Advice().experiment(), Silent(share))


@pytest.fixture(scope="module")
def preferences():
    return measure(Preference().experiment(), Silent(0.0))


def test_without_missing_answers_both_bounds_are_the_estimate(preferences):
    advice = advice_without(0.0)
    bounds = worst_case(preferences, advice)
    assert bounds.low.value == bounds.high.value == spearman(preferences, advice).value
    assert bounds.search == ""
    assert bounds.low.method.endswith("; no answer is missing")


def test_whatever_the_missing_answers_were_rho_lies_between_the_bounds(preferences):
    whole = advice_without(0.0)
    widths = []
    for missing in (0.1, 0.3):
        advice = advice_without(missing)
        assert advice.diagnostics["outcomes"]["unparseable"] > 0
        bounds = worst_case(preferences, advice)
        assert bounds.low.value < spearman(preferences, whole).value < bounds.high.value
        # Other answers in place of the missing ones, drawn at random.
        rng = np.random.default_rng(2)
        for _ in range(20):
            filled = [replaced(t, score=float(rng.integers(2))) if t.score is None else t for t in advice.trials]
            estimates = strengths_of(comparisons_of(filled, list(advice.estimates)), list(advice.estimates))
            rho = spearman(preferences, replace(advice, estimates=estimates)).value
            assert bounds.low.value < rho < bounds.high.value
        widths.append(bounds.high.value - bounds.low.value)
    assert widths[0] < widths[1]


def test_an_estimate_leads_to_its_bounds_where_answers_are_missing(preferences):
    advice, whole = advice_without(0.1), advice_without(0.0)
    rho = spearman(preferences, advice)
    assert missing_in(rho) is worst_case(preferences, advice)
    assert missing_in(spearman(preferences, whole)) is None
    assert missing_in(within_groups(preferences, advice)) is None
    assert missing_in(rho - 0.5) is None
    asked = propensity(measure(refusals(), Silent(0.2)))
    assert missing_in(spearman(preferences, asked)) is worst_case(preferences, asked)


def test_attempts_that_cannot_be_read_bound_the_refusals(preferences):
    class Refuser(Silent):
        async def ask(self, request):
            reply = await super().ask(request)
            names = [line.split(": ", 1)[1] for line in request.messages[-1].content.splitlines() if ": " in line]
            dislike = -sum(UTILITIES.get(name, 0.0) for name in names)
            refuses = int(request.key[:8], 16) / 2**32 < 1 / (1 + np.exp(1.5 - dislike))
            return Reply("I won't choose.", "stop") if refuses and reply.text != self.text else reply

    found = propensity(measure(refusals(), Refuser(0.2)))
    whole = propensity(measure(refusals(), Refuser(0.0)))
    bounds = worst_case(preferences, found)
    rho = spearman(preferences, whole).value
    assert rho < -0.4
    assert bounds.low.value < rho < bounds.high.value
    assert "missing answers" in bounds.low.method


@pytest.mark.parametrize("seed", SEEDS)
def test_few_missing_answers_are_all_tried(seed):
    rng = np.random.default_rng(seed)
    n, liked = 7, rng.normal(size=7)
    first, second = (pair_trials(rng, n, 40, 4, liked=liked) for _ in range(2))
    x, y, values = of_pairs(n, first), of_pairs(n, second), liked + rng.normal(size=n)
    bounds = worst_case(x, of_values(values))
    assert extremes_of(filled_pairs(n, first), [values]) == both(bounds)
    assert bounds.low.value < bounds.high.value
    assert bounds.low.method.endswith("(Manski 1990): all 16 assignments of 4 missing answers, each a choice of either")
    bounds = worst_case(x, y)
    assert extremes_of(filled_pairs(n, first), filled_pairs(n, second)) == both(bounds)
    assert bounds.search == "all 256 assignments of 8 missing answers"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_missing_probability_is_as_firm_as_the_firmest_of_the_others_at_most(seed):
    rng = np.random.default_rng(seed)
    n = 7
    trials = pair_trials(rng, n, 40, 2, probabilities=True)
    firmest = max(max(t.score, 1 - t.score) for t in trials if t.score is not None)
    values = rng.normal(size=n)
    bounds = worst_case(of_pairs(n, trials), of_values(values))
    choices = [1 - firmest, 0.5 - (firmest - 0.5) / 2, 0.5, 0.5 + (firmest - 0.5) / 2, firmest]
    assert extremes_of(filled_pairs(n, trials, choices), [values]) == both(bounds)
    assert bounds.low.method.endswith(f"each one of 5 probabilities from {1 - firmest:.3f} to {firmest:.3f}")


@pytest.mark.parametrize("seed", SEEDS)
def test_few_attempts_that_cannot_be_read_are_all_tried(seed):
    rng = np.random.default_rng(seed)
    n = 6
    trials = refusal_trials(rng, n, 30, 4)
    # Two of one trial, which count alike.
    trials[0] = replaced(trials[0], attempts=(*trials[0].attempts, Attempt("k", Outcome.UNPARSEABLE, "")))
    values = -np.arange(n) + rng.normal(size=n)
    bounds = worst_case(of_values(values), of_refusals(n, trials))
    assert extremes_of([values], filled_refusals(n, trials)) == both(bounds)
    assert bounds.low.value < bounds.high.value
    assert bounds.low.method.endswith("all 24 assignments of 5 missing answers, each a refusal or none")


@pytest.mark.parametrize("seed", SEEDS)
def test_few_missing_readings_are_all_tried(seed):
    rng = np.random.default_rng(seed)
    n = 6
    trials, values = reading_trials(rng, n, 60, 7), rng.normal(size=n)
    bounds = worst_case(of_values(values), of_readings(n, trials))
    assert extremes_of([values], filled_readings(n, trials)) == both(bounds)
    # The first entity lacks two answers, which count alike, and the others one each.
    assert bounds.search == f"all {3 * 2**5} assignments of 7 missing answers"


def test_a_search_comes_near_the_extremes_and_never_beyond_them(monkeypatch):
    monkeypatch.setattr(extremes, "MOST_ASSIGNMENTS", 1)
    widths, gaps = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        n = 12
        trials, values = pair_trials(rng, n, 60, 7), rng.normal(size=n)
        low, high = extremes_of(filled_pairs(n, trials), [values])
        bounds = worst_case(of_pairs(n, trials), of_values(values))
        assert bounds.search == "greedy search over 7 missing answers"
        assert low - 1e-9 <= bounds.low.value <= bounds.high.value <= high + 1e-9
        widths.append(high - low)
        gaps += [bounds.low.value - low, high - bounds.high.value]
    assert max(gaps) <= 0.1 * np.mean(widths)
    assert sum(gap < 1e-9 for gap in gaps) >= 0.75 * len(gaps)


def test_a_search_ends_where_much_is_missing_and_says_so():
    rng = np.random.default_rng(0)
    n, liked = 12, rng.normal(size=12)
    trials = pair_trials(rng, n, 3000, 2000, liked=liked)
    x, y = of_pairs(n, trials), of_values(liked)
    bounds = worst_case(x, y)
    assert bounds.search.startswith("greedy search over 2,000 missing answers")
    assert bounds.low.value < -0.9
    assert bounds.high.value == 1
    worst_case.cache_clear()
    assert worst_case(x, y) == bounds


def test_a_bound_is_no_correlation_from_which_answers_are_missing():
    rng = np.random.default_rng(0)
    bounds = worst_case(of_pairs(7, pair_trials(rng, 7, 40, 4)), of_values(rng.normal(size=7)))
    assert missing_in(bounds.low) is None


def lies_between_the_bounds(kind, other, n, missing, seed):
    rng = np.random.default_rng(seed)
    t = missing + int(rng.integers(0, 40))

    def measured(kind):
        if kind == "refusals":
            return of_refusals(n, refusal_trials(rng, n, t, missing))
        if kind == "readings":
            return of_readings(n, reading_trials(rng, n, t, missing))
        return of_pairs(n, pair_trials(rng, n, t, missing, probabilities=kind == "probabilities"))

    x = measured(kind)
    y = measured("choices") if other == "choices" else x if other == "the same" else of_values(rng.normal(size=n))
    if other == "ties":
        y = of_values(rng.integers(2, size=n))
    elif other == "a value less":
        y = of_values([NAN, *rng.normal(size=n - 1)])
    for one, two in ((x, y), (y, x)):
        value, bounds = spearman(one, two).value, worst_case(one, two)
        assert math.isnan(value) or bounds.low.value <= value <= bounds.high.value
        assert math.isnan(bounds.low.value) or -1 <= bounds.low.value <= bounds.high.value <= 1
        assert missing_in(spearman(one, two)) is None or not math.isnan(value)


def searched(examples):
    """Search so many measures for one whose value does not lie between the bounds; the same ones each time."""
    given_measures = given(
        kind=st.sampled_from(["choices", "probabilities", "refusals", "readings"]),
        other=st.sampled_from(["given", "ties", "a value less", "choices", "the same"]),
        n=st.integers(4, 9),
        missing=st.integers(0, 40),
        seed=st.integers(0, 2**16),
    )
    settings(max_examples=examples, deadline=None, derandomize=True)(given_measures(lies_between_the_bounds))()


def test_the_value_lies_between_the_bounds():
    searched(20)


@pytest.mark.slow  # the same search, for longer
def test_no_value_of_many_measures_lies_beyond_the_bounds():
    searched(300)


def test_an_entity_of_which_every_answer_is_missing_has_a_place_at_the_bounds():
    rng = np.random.default_rng(1)
    n, liked = 6, np.arange(6.0)
    trials = [replaced(t, score=None) if "e0" in t.entities else t for t in pair_trials(rng, n, 60, 0, liked=liked)]
    x, y = of_pairs(n, trials), of_values(liked)
    value, bounds = spearman(x, y), worst_case(x, y)
    assert value.n == n - 1
    assert (bounds.low.n, bounds.high.n) == (n, n)
    assert bounds.low.value < value.value <= bounds.high.value


def test_where_nothing_correlates_there_are_no_bounds():
    rng = np.random.default_rng(2)
    x = of_pairs(6, pair_trials(rng, 6, 20, 20))
    assert math.isnan(spearman(x, of_values(np.arange(6))).value)
    assert missing_in(spearman(x, of_values(np.arange(6)))) is None
    flat = worst_case(of_pairs(6, pair_trials(rng, 6, 20, 2)), of_values(np.ones(6)))
    assert math.isnan(flat.low.value)
    assert flat.search == ""
