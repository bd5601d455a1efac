"""Several models, each with its own results, and how what was found of them goes with a covariate."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from scipy import special

from pytest_llmpref.claims.intervals import Wilson
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.comparison.covariates import Covariate
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.results.measure_record import MeasureRecord
from pytest_llmpref.results.schema import ModelRecord, Results
from pytest_llmpref.stats.change import holm_adjusted
from pytest_llmpref.stats.meta_regression import Line, meta_regression

if TYPE_CHECKING:
    import pandas as pd


class FamilyError(LLMPrefError):
    """Results that cannot be related to a covariate; the message says why."""


@dataclass(frozen=True, slots=True)
class Scale:
    """On which scale a quantity lies along a line, with noise that does not depend on its value.

    Attributes
    ----------
    name
        Of the unit of the slope.
    to, back
        From the quantity to the scale, and back.
    """

    name: str
    to: Callable[[float], float]
    back: Callable[[float], float]


FISHER = Scale("Fisher's z", math.atanh, math.tanh)
LOGIT = Scale("log-odds", lambda share: math.log(share / (1 - share)), lambda odds: 1 / (1 + math.exp(-odds)))
PLAIN = Scale("", float, float)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of one model: a value with its 95% interval, and both on the scale.

    Attributes
    ----------
    value, low, high
        The quantity, as results.json has it or counts it.
    on_scale, error
        Value and standard error on the scale.
    """

    value: float
    low: float
    high: float
    on_scale: float
    error: float


@dataclass(frozen=True, slots=True)
class Trend:
    """How one quantity goes with one covariate.

    Attributes
    ----------
    quantity
        What was measured: a claim's estimate, ``reliability of MEASURE`` or ``refusal rate of MEASURE``.
    covariate
        What models differ in.
    scale
        On which the line is fitted.
    models
        What was found of each model.
    line
        The line.
    p_holm
        Two-sided p of the slope, adjusted for all trends that were looked at (Holm).
    """

    quantity: str
    covariate: Covariate
    scale: Scale
    models: Mapping[str, Found]
    line: Line
    p_holm: float = math.nan

    @property
    def says(self) -> str:
        """What the slope says, at 5% over all trends."""
        if not self.p_holm < 0.05:
            return "no trend shown"
        return "rises" if self.line.slope > 0 else "falls"

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the largest covariate."""
        values = [self.covariate.values[model] for model in self.models]
        return min(values), max(values)

    def at(self, covariate: float) -> tuple[float, float, float]:
        """Return the line there with its 95% interval, as the quantity itself."""
        value, low, high = map(self.scale.back, self.line.at(covariate))
        return value, low, high


@dataclass(frozen=True, slots=True)
class Family:
    """All trends, and what was left out of them."""

    trends: tuple[Trend, ...]
    left_out: tuple[str, ...]

    def frame(self) -> "pd.DataFrame":
        """Return a row for each trend."""
        import pandas as pd  # noqa: PLC0415 - slow to import, and needed by few

        return pd.DataFrame([row_of(trend) for trend in self.trends])

    def models_frame(self) -> "pd.DataFrame":
        """Return a row for each model of each trend."""
        import pandas as pd  # noqa: PLC0415 - as above

        return pd.DataFrame([row for trend in self.trends for row in rows_of(trend)])


def row_of(trend: Trend) -> dict[str, Any]:
    """Return a trend as a row of a table."""
    low, high = trend.line.interval()
    return {
        "quantity": trend.quantity, "covariate": trend.covariate.name, "unit": trend.covariate.unit,
        "models": len(trend.models), "scale": trend.scale.name, "slope": trend.line.slope, "low": low, "high": high,
        "error": trend.line.error, "df": trend.line.df, "p": trend.line.p_value, "p_holm": trend.p_holm,
        "tau": trend.line.tau, "i2": trend.line.i2, "says": trend.says,
        **{f"at_{end}": trend.at(x)[0] for end, x in zip(("least", "most"), trend.ends, strict=True)},
    }  # fmt: skip


def rows_of(trend: Trend) -> Iterator[dict[str, Any]]:
    """Yield each model of a trend as a row of a table."""
    for model, found in trend.models.items():
        yield {
            "quantity": trend.quantity, "covariate": trend.covariate.name, "model": model,
            "covariate_value": trend.covariate.values[model], "covariate_shown": trend.covariate.shown[model],
            "value": found.value, "low": found.low, "high": found.high,
            "on_scale": found.on_scale, "error": found.error,
        }  # fmt: skip


def compare_family(results: Results, covariates: Sequence[Covariate], quantities: Sequence[str] = ()) -> Family:
    """Relate what was found of several models to covariates.

    Parameters
    ----------
    results
        Of all models.
    covariates
        What they differ in.
    quantities
        Those to relate; all that enough models have unless given.

    Raises
    ------
    FamilyError
        If a model has no covariate, a quantity is not there, or no line can be fitted.
    """
    if absent := [name for name in results.models if not any(name in each.values for each in covariates)]:
        raise FamilyError(
            f"the file of covariates has no line for {', '.join(absent)}; write its name as results.json has it"
        )
    _refuse_mixed(results)
    found: dict[str, dict[str, Found]] = {}
    scales: dict[str, Scale] = {}
    left_out: list[str] = []
    mixed_sizes = _mixed_sizes(results)
    for name, model in results.models.items():
        for quantity, scale, one in _quantities(model):
            if isinstance(one, str):
                if not quantities or quantity in quantities:
                    left_out.append(f"{quantity} of {name}: {one}")
                continue
            scales[quantity] = scale
            if quantity.startswith("reliability ") and mixed_sizes:
                left_out.append(f"{quantity}: it depends on the profile, and the runs have {mixed_sizes}")
                continue
            found.setdefault(quantity, {}).setdefault(name, one)
    if unknown := [quantity for quantity in quantities if quantity not in found]:
        why = "".join(f"; left out: {one}" for one in left_out)
        raise FamilyError(f"no model has {unknown[0]!r}; there are: {'; '.join(found) or 'none'}{why}")
    wanted = {quantity: found[quantity] for quantity in quantities} or found
    trends = []
    for quantity, models in wanted.items():
        for covariate in covariates:
            trend = _trend(quantity, covariate, scales[quantity], models)
            if isinstance(trend, str):
                left_out.append(trend)
            else:
                trends.append(trend)
    if not trends:
        raise FamilyError(f"nothing can be related to a covariate: {'; '.join(left_out) or 'nothing was measured'}")
    adjusted = holm_adjusted([trend.line.p_value for trend in trends])
    return Family(
        tuple(replace(trend, p_holm=float(p)) for trend, p in zip(trends, adjusted, strict=True)),
        tuple(dict.fromkeys(left_out)),
    )


def _mixed_sizes(results: Results) -> str:
    """Name the profiles of the runs, where there are several: more questions make any measure more reliable."""
    profiles = dict.fromkeys(results.runs.get(name, results.run).profile for name in results.models)
    return " and ".join(profiles) if len(profiles) > 1 else ""


def _refuse_mixed(results: Results) -> None:
    """Make sure that the models were asked about the same entities, in the same kind of study.

    Raises
    ------
    FamilyError
        If they were not: then a trend may be one of entities, and not of models.
    """
    runs = {name: results.runs.get(name, results.run) for name in results.models}
    for what in ("entities", "control"):
        said: dict[str, str] = {}
        for name, run in runs.items():
            said.setdefault(str(getattr(run, what)), name)
        if len(said) > 1:
            sides = ", ".join(f"{value} for {name}" for value, name in said.items())
            raise FamilyError(
                f"the runs differ in their {what} ({sides}), so a trend may not be one of models; measure all models "
                "with the same entities, and without --llmpref-control or with the same one"
            )


def _trend(quantity: str, covariate: Covariate, scale: Scale, models: Mapping[str, Found]) -> Trend | str:
    """Return how a quantity goes with a covariate, or why that cannot be said."""
    known = {name: found for name, found in models.items() if name in covariate.values}
    value = np.array([found.on_scale for found in known.values()])
    error = np.array([found.error for found in known.values()])
    try:
        line = meta_regression(value, error, np.array([covariate.values[name] for name in known]))
    except ValueError as reason:
        said = str(reason).replace("studies", "models")
        return f"{quantity} against {covariate.name}: {said}"
    return Trend(quantity, covariate, scale, known, line)


def _quantities(model: ModelRecord) -> Iterator[tuple[str, Scale, Found | str]]:
    """Yield what was found of a model, each with its scale; or why it does not count."""
    for claim in model.claims:
        estimate = claim.estimate
        if claim.entity is not None or not estimate.label:
            continue
        scale = FISHER if estimate.label.startswith("rho") else PLAIN
        if claim.verdict == Verdict.INVALID:
            yield estimate.label, scale, claim.reasons[0] if claim.reasons else "its measures failed their checks"
        else:
            yield estimate.label, scale, _found(estimate.value, *estimate.ends, scale, estimate.level)
    for name, measure in model.measures.items():
        yield from _of_measure(name, measure)


def _of_measure(name: str, measure: MeasureRecord) -> Iterator[tuple[str, Scale, Found | str]]:
    # A refusal is one whatever makes the order of the entities invalid.
    refused, trials = _refused_at_once(measure)
    if trials:
        yield f"refusal rate of {name}", LOGIT, _share(refused, trials)
    if (reliability := measure.checks.reliability) is not None:
        low, high = (math.nan if end is None else end for end in (reliability.low, reliability.high))
        yield f"reliability of {name}", FISHER, _found(reliability.value, low, high, FISHER, 0.95)


def _refused_at_once(measure: MeasureRecord) -> tuple[int, int]:
    """Return how many trials about entities were refused at the first attempt, and how many there are."""
    columns = measure.columns
    if columns is None:
        outcomes = measure.checks.outcomes
        return outcomes.refusal, sum(msgspec.structs.astuple(outcomes))
    firsts = [outcome[0] for outcome in columns.outcome] if columns.course is None else [c[0] for c in columns.course]
    about = [first for first, control in zip(firsts, columns.control, strict=True) if not control]
    return about.count("r"), len(about)


def _share(successes: int, n: int) -> Found:
    """Return a share with the noise of independent trials; half a trial more each way keeps log-odds finite."""
    low, high = Wilson(successes, n).limits(0.95)
    yes, no = successes + 0.5, n - successes + 0.5
    return Found(successes / n, low, high, math.log(yes / no), math.sqrt(1 / yes + 1 / no))


def _found(value: float | None, low: float, high: float, scale: Scale, level: float) -> Found | str:
    """Return an estimate on its scale, its standard error from its interval; or why there is none."""
    if value is None:
        return "it could not be estimated"
    ends = [_on(scale, end) for end in (low, high)]
    middle = _on(scale, value)
    halves = [abs(end - middle) for end in ends if math.isfinite(end)]
    if not math.isfinite(middle) or not halves or not max(halves) > 0:
        return f"{value:g} has no interval that says how exact it is"
    normal = float(special.ndtri((1 + level) / 2))
    error = sum(halves) / len(halves) / normal
    half = error * float(special.ndtri(0.975))
    return Found(value, scale.back(middle - half), scale.back(middle + half), middle, error)


def _on(scale: Scale, value: float) -> float:
    try:
        return scale.to(value)
    except (ValueError, ZeroDivisionError):
        return math.nan
