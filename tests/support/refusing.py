"""A simulated model that refuses what it dislikes, and its measure over the shipped entities."""

import asyncio

import numpy as np
from planted import PlantedModel
from scipy import special

from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.models.chat import Reply

ENTITIES = load_entities()


CONDITIONS = Conditions("sim/planted", ENTITIES, load_profile("standard"), seed=0, answers="auto", prefill="cue")


NAMES = [entity.name for entity in ENTITIES]


UTILITIES = dict(zip(NAMES, np.random.default_rng(1).permutation(np.linspace(-2, 2, len(NAMES))), strict=True))


class Refuser(PlantedModel):
    """Refuses with odds that rise with the dislikes of both options, and beyond their sum."""

    def __init__(self, *, base=-2.0, slope=0.8, beyond=0.0, text="I'm sorry, but I can't help with that."):
        super().__init__(UTILITIES)
        self.base, self.slope, self.beyond, self.text = base, slope, beyond, text

    async def ask(self, request):
        reply = await super().ask(request)
        if "Answer: Option" in request.messages[-1].content or "Option" not in request.messages[-1].content:
            return reply
        a, b = (
            -self.utilities.get(line.split(": ", 1)[1], 0.0)
            for line in request.messages[-1].content.splitlines()
            if line.startswith("Option ")
        )
        chance = special.expit(self.base + self.slope * (a + b) + self.beyond * a * b)
        draw = int(request.key[:8], 16) / 2**32
        return Reply(self.text, "stop") if draw < chance else reply


def measure(experiment, model, conditions=CONDITIONS):
    plan = experiment.plan(conditions)
    return experiment.analyse(
        conditions, plan, asyncio.run(ask_all(model, plan, range(len(plan.requests)), in_flight=16))
    )
