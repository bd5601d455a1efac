"""Bounds on correlations: whatever the missing answers would have been, rho lies between them."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from planted import PlantedModel

from pytest_llmpref import missing_bounds, propensity, spearman, within_groups
from pytest_llmpref.entities import load_entities
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.bounds import missing_in
from pytest_llmpref.experiments.donation import donation_advice
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.pairwise import pairwise_preference
from pytest_llmpref.experiments.refusal import refusals
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.profiles import load_profile

ENTITIES = load_entities()
PROFILE = replace(load_profile("smoke"), attempts=1)
CONDITIONS = Conditions("sim/planted", ENTITIES, PROFILE, seed=0, answers="auto", prefill="cue")
NAMES = [entity.name for entity in ENTITIES]
UTILITIES = dict(zip(NAMES, np.random.default_rng(1).permutation(np.linspace(-2, 2, len(NAMES))), strict=True))


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


@pytest.fixture(scope="module")
def preferences():
    return measure(pairwise_preference(), Silent(0.0))


def test_without_missing_answers_both_bounds_are_the_estimate(preferences):
    advice = measure(donation_advice(), Silent(0.0))
    bounds = missing_bounds(preferences, advice)
    assert bounds.low.value == pytest.approx(spearman(preferences, advice).value)
    assert bounds.high.value == pytest.approx(bounds.low.value)


def test_whatever_the_missing_answers_were_rho_lies_between_the_bounds(preferences):
    whole = measure(donation_advice(), Silent(0.0))
    widths = []
    for missing in (0.1, 0.3):
        advice = measure(donation_advice(), Silent(missing))
        assert advice.diagnostics["outcomes"]["unparseable"] > 0
        bounds = missing_bounds(preferences, advice)
        assert bounds.low.value < spearman(preferences, whole).value < bounds.high.value
        # Other answers in place of the missing ones, drawn at random.
        rng = np.random.default_rng(2)
        for _ in range(20):
            order = {entity: float(rng.normal()) for entity in advice.values}
            values = advice.pulled(order)
            estimates = {entity: replace(e, value=values[entity]) for entity, e in advice.estimates.items()}
            rho = spearman(preferences, replace(advice, estimates=estimates)).value
            assert bounds.low.value < rho < bounds.high.value
        widths.append(bounds.high.value - bounds.low.value)
    assert widths[0] < widths[1]


def test_an_estimate_leads_to_its_bounds_where_answers_are_missing(preferences):
    advice, whole = measure(donation_advice(), Silent(0.2)), measure(donation_advice(), Silent(0.0))
    rho = spearman(preferences, advice)
    assert missing_in(rho) is missing_bounds(preferences, advice)
    assert missing_in(spearman(preferences, whole)) is None
    assert missing_in(within_groups(preferences, advice)) is None
    assert missing_in(rho - 0.5) is None
    asked = propensity(measure(refusals(), Silent(0.2)))
    assert missing_in(spearman(preferences, asked)) is missing_bounds(preferences, asked)


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
    bounds = missing_bounds(preferences, found)
    rho = spearman(preferences, whole).value
    assert rho < -0.4
    assert bounds.low.value < rho < bounds.high.value
    assert "missing answers" in bounds.low.method
