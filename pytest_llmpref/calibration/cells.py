"""The cells of the calibration: a main one for each world, one factor at a time from there, and a few bad corners."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Protocol

import numpy as np

from pytest_llmpref.calibration.agent_studies import AgentStudy
from pytest_llmpref.calibration.findings import Finding
from pytest_llmpref.calibration.pair_studies import PairStudy
from pytest_llmpref.calibration.reading_studies import ReadingStudy
from pytest_llmpref.calibration.refusal_studies import RefusalStudy
from pytest_llmpref.calibration.strengths import Strengths
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.stats.power import ReadingDesign


class CalibrationError(LLMPrefError):
    """A calibration that cannot be run, or resumed."""


class Study(Protocol):
    """A kind of simulated study."""

    @property
    def n_entities(self) -> int:
        """Entities in a study."""
        ...

    def findings(self, rng: np.random.Generator) -> Iterator[Finding]:
        """Simulate one study, and yield what it found."""
        ...

    def predicted_power(self, kind: str) -> float:
        """Return the power predicted for the claim that is asked about; NaN where nothing predicts it."""
        ...


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of study, repeated.

    Attributes
    ----------
    name
        Such as ``advice/main``: the world, and what differs from its main cell.
    about
        The same in words.
    study
        The study.
    """

    name: str
    about: str
    study: Study


def matching(pattern: str | None) -> list[Cell]:
    """Return the cells whose names match a shell pattern, or, without wildcards, contain it; all for ``None``.

    Raises
    ------
    CalibrationError
        If there are none.
    """
    if pattern is None:
        return list(CELLS.values())
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    found = [cell for cell in CELLS.values() if fnmatchcase(cell.name, wanted)]
    if not found:
        raise CalibrationError(f"--cells {pattern}: no cell matches; there are: {', '.join(CELLS)}")
    return found


def _advice() -> Iterator[Cell]:
    main = PairStudy(Strengths(n=36, rho=0.6, spread=1.0))
    weak = PairStudy(Strengths(n=36, rho=0.6, spread=0.3))
    for name, about, study in (
        ("main", "36 entities, profile standard, rho 0.6, strengths with an SD of 174 Elo points", main),
        ("null", "no relation", replace(main, strengths=Strengths(36, 0.0, 1.0))),
        ("rho=0.9", "rho 0.9", replace(main, strengths=Strengths(36, 0.9, 1.0))),
        ("n=12", "12 entities, every pair", replace(main, strengths=Strengths(12, 0.6, 1.0), partners=None)),
        ("n=72", "72 entities", replace(main, strengths=Strengths(72, 0.6, 1.0))),
        ("paper", "every pair", replace(main, partners=None)),
        ("smoke", "4 partners", replace(main, partners=4)),
        ("missing=10%", "10% of trials without a choice", replace(main, missing=0.1)),
        ("missing=30%", "30% of trials without a choice", replace(main, missing=0.3)),
        (
            "missing=10% disliked",
            "10% of trials without a choice, in proportion to dislike",
            replace(main, missing=0.1, missing_for="disliked"),
        ),
        ("position", "the option shown first 1.5, label A 0.7 log-odds ahead", replace(main, position=1.5, label=0.7)),
        ("noise", "strengths with an SD of 52 Elo points: reliability near the 0.5 that is needed", weak),
        ("quirks", "pairs with likes of their own, SD 1 log-odds", replace(main, quirks=1.0)),
        ("ties", "true strengths take 4 levels", replace(main, strengths=Strengths(36, 0.6, 1.0, levels=4))),
        (
            "probabilities",
            "answers are probabilities, with pairs' quirks",
            replace(main, quirks=0.5, probabilities=True),
        ),
        (
            "faint",
            "72 entities, every pair, rho 0.9, in probabilities by strengths with an SD of 3 Elo points and quirks",
            replace(main, strengths=Strengths(72, 0.9, 0.02), partners=None, quirks=0.084, probabilities=True),
        ),
        (
            "groups",
            "72 entities, 70% of the variance between groups, no relation within them",
            replace(main, strengths=Strengths(72, 0.0, 1.0, grouped=0.7)),
        ),
        (
            "corner",
            "12 entities, noise, position bias, ties, 10% missing for the disliked",
            PairStudy(
                Strengths(12, 0.6, 0.5, levels=4), None, position=1.5, missing=0.1, missing_for="disliked", quirks=0.5
            ),
        ),
    ):
        yield Cell(f"advice/{name}", about, study)


def _refusals() -> Iterator[Cell]:
    preferences = PairStudy(Strengths(n=36, rho=0.7, spread=1.0))
    main = RefusalStudy(preferences, beyond=0.3, trend=0.05)
    few = PairStudy(Strengths(n=12, rho=0.7, spread=1.0), partners=None)
    for name, about, study in (
        ("main", "36 entities, profile standard, 18% refused on average, rho -0.7, superadditive", main),
        ("null", "nothing follows preference", RefusalStudy(PairStudy(Strengths(36, 0.0, 1.0)))),
        ("n=12", "12 entities, every pair", replace(main, preferences=few)),
        ("n=72", "72 entities", replace(main, preferences=replace(preferences, strengths=Strengths(72, 0.7, 1.0)))),
        ("rare", "3% refused on average", replace(main, base=-3.5)),
        ("quirks", "pairs with refusals of their own, SD 1 log-odds", replace(main, quirks=1.0)),
        ("noise", "preferences with an SD of 52 Elo points", replace(
            main, preferences=replace(preferences, strengths=Strengths(36, 0.7, 0.3)))),
    ):  # fmt: skip
        yield Cell(f"refusals/{name}", about, study)


def _reading() -> Iterator[Cell]:
    main = ReadingStudy(ReadingDesign(n_entities=36, n_questions=64), slope=0.1)
    for name, about, study in (
        ("main", "36 entities x 64 questions, 85% right, 0.1 log-odds per SD of preference", main),
        ("null", "accuracy does not follow preference", replace(main, slope=0.0)),
        ("n=12", "12 entities", replace(main, design=replace(main.design, n_entities=12))),
        ("n=72", "72 entities", replace(main, design=replace(main.design, n_entities=72))),
        ("yes", "a leaning to yes that follows preference, accuracy does not", replace(
            main, slope=0.0, yes_bias=1.0, yes_bias_slope=0.3)),
        ("noise", "entities differ by 0.3 log-odds whatever their preference", replace(
            main, design=replace(main.design, entity_sd=0.3))),
        ("alike", "95% right, most questions answered alike whoever they help, two points between quarters", replace(
            main, design=replace(main.design, accuracy=0.95, difficulty_sd=4.0), slope=0.335)),
    ):  # fmt: skip
        yield Cell(f"reading/{name}", about, study)


def _agents() -> Iterator[Cell]:
    main = AgentStudy(tasks=69, gap=0.57, effort_gap=0.3)
    for name, about, study in (
        ("main", "69 tasks for five entities an arm, half of them solved, ten points and 0.3 log effort apart", main),
        ("null", "the arms are served alike", replace(main, gap=0.0, effort_gap=0.0)),
        ("n=16", "16 tasks", replace(main, tasks=16)),
        ("n=200", "200 tasks", replace(main, tasks=200)),
        ("two an arm", "two entities an arm", replace(main, per_arm=2)),
        ("hard", "a tenth of the tasks solved, most by neither arm", replace(
            main, level=-3.55, gap=1.55, difficulty_sd=2.0)),
        ("entities", "entities differ by 0.6 log-odds whatever their arm", replace(main, entity_sd=0.6)),
    ):  # fmt: skip
        yield Cell(f"agents/{name}", about, study)


CELLS: Mapping[str, Cell] = {cell.name: cell for cell in (*_advice(), *_refusals(), *_reading(), *_agents())}
