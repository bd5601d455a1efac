"""Twelve invented entities, and recordings of simulated models."""

import asyncio
from pathlib import Path

from planted import PlantedModel

from pytest_llmpref.cassettes import Cassette, RecordingModel
from pytest_llmpref.config.entities import EntitySet
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.registry import behaviours

ENTITIES = 'name,group\n' + "".join(f"the {word} Fund,{'ab'[n % 2]}\n" for n, word in enumerate(
    ["Apple", "Berry", "Cedar", "Daisy", "Elder", "Fern", "Gorse", "Hazel", "Iris", "Juniper", "Kelp", "Lotus"]
))  # fmt: skip


def record(
    folder: Path, model: PlantedModel, name: str, entities: EntitySet, profile: str = "standard", measure: str = ""
) -> None:
    """Record every experiment of a simulated model under a name of its own, or the one of a measure."""
    model.name = name
    cassette = Cassette.open(folder, name)
    recording = RecordingModel(model, cassette)
    conditions = Conditions(name, entities, load_profile(profile), seed=0, answers="auto", prefill="cue")
    cassette.design = conditions.profile.design
    for behaviour in (one for one in behaviours().values() if not one.is_apart and measure in {"", one.measure}):
        plan = behaviour.experiment().plan(conditions)
        asyncio.run(ask_all(recording, plan, range(len(plan.requests)), in_flight=4))
    asyncio.run(recording.close())
    cassette.pack()
