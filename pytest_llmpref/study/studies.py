"""The studies of one run: one for each model, opened when first needed, and closed together."""

import asyncio
import importlib.metadata
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeVar

import msgspec

from pytest_llmpref.config.entities import Entity, EntityFileError, EntitySet, load_entities
from pytest_llmpref.config.items import ItemSet, load_items
from pytest_llmpref.config.labels import check_new, load_labels
from pytest_llmpref.config.options import Settings
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.config.setups import setup_of
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.participants import named_arms
from pytest_llmpref.files import data_folder
from pytest_llmpref.garbage import rare_garbage_collection
from pytest_llmpref.models.prefill import lead_for
from pytest_llmpref.results.parts import Part
from pytest_llmpref.results.schema import EntityRecord, RunRecord
from pytest_llmpref.study.answering import BackgroundLoop
from pytest_llmpref.study.extensions import NOTHING, Extensions
from pytest_llmpref.study.imported import entities_of
from pytest_llmpref.study.provenance import answered_since
from pytest_llmpref.study.records import measure_record
from pytest_llmpref.study.study import Progress, Study

if TYPE_CHECKING:
    from pytest_llmpref.claims.claim import Threshold

T = TypeVar("T")
FICTITIOUS = "fictitious-entities"


class Studies:
    """Opens a study for each model when it is first needed, and closes them all.

    Parameters
    ----------
    settings
        What the user set.
    progress
        Opens a display, given a title and the number of trials to ask.
    extensions
        What other packages add.

    Raises
    ------
    ProfileError, EntityFileError, ItemFileError, ArmsError, LabelsError, SetupError
        If the profile, the entity set, the yes/no questions, arms, labels or a model's setup of the user's cannot be
        used.
    """

    def __init__(
        self, settings: Settings, progress: Callable[[str, int], Progress], extensions: Extensions = NOTHING
    ) -> None:
        self.settings = settings
        self.profile = load_profile(settings.profile)
        self.item_set: ItemSet = load_items(settings.boolq)
        if settings.entities is not None and settings.control == FICTITIOUS:
            raise EntityFileError(settings.entities, [f"--llmpref-control {FICTITIOUS} has a set of its own; drop one"])
        path = data_folder("fixtures") / "entities" / "fictitious.toml"
        given = load_entities(path if settings.control == FICTITIOUS else settings.entities)
        self.entity_set: EntitySet = entities_of(settings, given)
        if settings.to_label is not None:
            check_new(settings.to_label)
        self._labels = load_labels(settings.labels) if settings.labels is not None else None
        self._arms = named_arms(settings.arms, self.entity_set) if settings.arms else None
        for model in settings.models:
            # Each study reads it again. Read late, what is wrong with it would end the run with a traceback.
            setup_of(model, settings)
        self._progress = progress
        self._extensions = extensions
        self.thresholds: Mapping[str, tuple[Threshold, ...]] = {}
        """Measure -> what a release gate compares it with; set before a study is opened."""
        self._opened: dict[str, Study] = {}
        self._closing = ExitStack()
        self._closing.enter_context(rare_garbage_collection())
        # Before the first test, and closed after all studies.
        self._loop = BackgroundLoop()
        self._closing.callback(self._loop.close)

    def __getitem__(self, model: str) -> Study:
        """Return the study of a model.

        Raises
        ------
        CassetteError
            If the model's cassette cannot be read.
        """
        if model not in self._opened:
            study = Study(
                self._conditions(model), self.settings, self._progress, self._loop, self._extensions, self._labels
            )
            self._opened[model] = study
            self._closing.callback(study.close)
        return self._opened[model]

    def at_once(self, do: Callable[[str], T], models: Sequence[str]) -> list[T]:
        """Do something for several models, each in a thread of its own, and return what came of it in their order.

        For what waits long, such as batches. Ctrl-C cancels all that is asked meanwhile.

        Parameters
        ----------
        do, models
            What is done for each of these models.
        """
        # The thread of the loop starts before any of these, which would start one each.
        self._loop.run(asyncio.sleep(0))
        found = [Future[T]() for _ in models]
        for model, future in zip(models, found, strict=True):
            # A daemon: what is stuck after Ctrl-C must not hold up the end of the process.
            threading.Thread(target=_do, args=(do, model, future), name=f"llmpref {model}", daemon=True).start()
        try:
            return [future.result() for future in found]
        except KeyboardInterrupt:
            self._loop.interrupt()
            raise

    def check_labels(self, needed: Mapping[str, Sequence[str]]) -> None:
        """Make sure that every label is of a reply of one of the models.

        Parameters
        ----------
        needed
            Model -> its measures.

        Raises
        ------
        LabelsError
            If one is not.
        """
        if self._labels is None:
            return
        unknown = set(self._labels.given)
        for model, measures in needed.items():
            unknown -= self[model].answered(unknown, measures)
        if unknown:
            said = (
                f"no reply of {' or '.join(needed)} has this key; valid ones are those of trials in results.json, and "
                "those that --llmpref-to-label writes"
            )
            if unknown == set(self._labels.given):
                # Which replies there are depends on what is asked.
                said += "; none of the file is known: give the tests, model, profile and seed that drew the sample"
            raise self._labels.error({key: f"{key}: {said}" for key in self._labels.given if key in unknown})

    def entities(self) -> list[Entity]:
        """Return the entities that take part, in the order of their file."""
        taking_part = self._conditions("").groups
        return [entity for entity in self.entity_set if entity.id in taking_part]

    def found(self) -> Part:
        """Return every measure computed so far, with how the run was set up, as results.json holds them."""
        return Part(
            run=self._run_record(),
            entities={entity.id: EntityRecord(name=entity.name, group=entity.group) for entity in self.entities()},
            measures={
                model: {
                    name: msgspec.structs.replace(measure_record(measure), labels=study.labelling.compared.get(name))
                    for name, measure in study.measures.items()
                }
                for model, study in self._opened.items()
                if study.measures
            },
            judges={model: study.judge for model, study in self._opened.items() if study.judge},
            imported={name: found for name, one in self._opened.items() if (found := one.source.record) is not None},
            asked=[
                model
                for model, study in self._opened.items()
                if answered_since(self.settings.began, study.cassette, study.judging)
            ],
            to_label=[one for study in self._opened.values() for one in study.labelling.to_label],
        )

    def _run_record(self) -> RunRecord:
        settings = self.settings
        return RunRecord(
            version=importlib.metadata.version("pytest-llmpref"),
            began=settings.began.isoformat(timespec="seconds"),
            profile=self.profile.name,
            record_mode=settings.record_mode,
            replay=settings.replay,
            seed=settings.seed,
            alpha=settings.alpha,
            entities=self.entity_set.name,
            boolq=self.item_set.name,
            answers=settings.answers,
            prefill=settings.prefill,
            judge=settings.judge or None,
            control=settings.control,
            control_seed=settings.control_seed,
            agentic=list(settings.agentic),
            arms=settings.arms or None,
            cassettes=settings.cassettes.name,
            strict=settings.strict,
        )

    def close(self) -> None:
        """Stop every model that was started."""
        self._closing.close()

    def _conditions(self, model: str) -> Conditions:
        settings = self.settings
        setup = setup_of(model, settings)
        own = setup.prefill or lead_for(setup.model or model).prefill
        prefill = own if settings.prefill == "auto" else settings.prefill
        return Conditions(
            model,
            self.entity_set,
            self.profile,
            settings.seed,
            settings.answers,
            prefill,
            self.item_set,
            settings.agentic,
            self._arms,
            self.thresholds,
            paired_prompts=settings.paired_prompts,
        )


def _do(do: Callable[[str], T], model: str, future: "Future[T]") -> None:
    try:
        future.set_result(do(model))
    except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
        future.set_exception(error)
