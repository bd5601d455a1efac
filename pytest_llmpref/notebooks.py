"""A study without pytest: for notebooks and scripts."""

import difflib
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Any, Self

from pytest_llmpref.config.options import (
    FILES,
    OPTIONS,
    RECORD_MODE,
    SettingError,
    Settings,
    converted,
    default_settings,
)
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.registry import behaviour_of, behaviours, is_shipped, measured_by, reference
from pytest_llmpref.study.extensions import register_installed
from pytest_llmpref.study.studies import Studies
from pytest_llmpref.study.study import Progress

if TYPE_CHECKING:
    from pytest_llmpref.charts import Chart

PYTEST_ONLY = frozenset({"model", "report_dir", "keep_runs", "baseline", "shard", "plan", "policy", "strict"})
"""Options that are about tests and their reports."""


class OpenStudy:
    """The measures of one model, each asked or replayed when it is first needed. Made by `open_study`.

    They have the names of the fixtures: ``study.preferences``, ``study.donation_advice``. By the name of the measure,
    as in results.json, they are ``study["preference"]``.
    """

    def __init__(self, settings: Settings) -> None:
        self._studies = Studies(settings, _progress)
        self._model = settings.models[0]

    def __getattr__(self, fixture: str) -> Measure:
        measures = measured_by()
        if fixture.startswith("_") or fixture not in measures:
            raise AttributeError(f"a study has no {fixture!r}; it has {', '.join(measures)}")
        return self[measures[fixture]]

    def __getitem__(self, measure: str) -> Measure:
        """Return a measure by its name in results.json.

        Raises
        ------
        KeyError
            If there is no such measure.
        LLMPrefError
            If its trials are not recorded and may not be asked, or cannot be.
        """
        if measure not in behaviours():
            near = difflib.get_close_matches(measure, behaviours(), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(behaviours())}"
            raise KeyError(f"no measure {measure!r}: {hint}")
        return self._studies[self._model].measure(measure)

    def charts(self, measure: str) -> "list[Chart]":
        """Return the charts of a measure, as the report has them; a notebook draws each where it is the last value.

        Parameters
        ----------
        measure
            Its name in results.json. The preferences are measured too, since most charts are drawn against them.
        """
        from pytest_llmpref.charts import Drawing, Names, shown  # noqa: PLC0415 - for those who draw
        from pytest_llmpref.results.schema import EntityRecord  # noqa: PLC0415 - as above
        from pytest_llmpref.study.records import measure_record  # noqa: PLC0415 - as above

        liked = reference()
        drawn, preference = (measure_record(self[name]) for name in (measure, liked.measure))
        known = {one.id: EntityRecord(one.name, one.group) for one in self._studies[self._model].conditions.entities}
        names = Names(SimpleNamespace(entities=known))
        drawing = Drawing(self._model, measure, drawn, preference, liked.unit, names)
        return shown(behaviour_of(measure).charts(drawing).values())

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *measured_by()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the model. What was measured stays usable."""
        self._studies.close()


def open_study(model: str, **settings: Any) -> OpenStudy:  # noqa: ANN401 - each has the type of its option
    """Open a study of one model, without pytest: for notebooks and scripts.

    It asks what a run of pytest asks, and shares its recordings. So a notebook can replay what CI recorded, and the
    other way round.

    Parameters
    ----------
    model
        As given to ``--model``.
    settings
        pytest's options by the names of their ini keys without ``llmpref_``: ``profile="paper"``,
        ``record_mode="new_episodes"``, ``entities="mine.toml"``, ``seed=1``. A list for those that repeat.

    Returns
    -------
    OpenStudy
        Close it, or use it in a ``with`` statement.

    Raises
    ------
    SettingError
        If there is no such option, or it cannot have this value.
    ProfileError, EntityFileError, ItemFileError
        If one of the files cannot be used.

    Examples
    --------
    >>> from pytest_llmpref import open_study, spearman
    >>> with open_study("sim/paper-a") as study:
    ...     rho = spearman(study.preferences, study.donation_advice)
    >>> (rho > 0.5).verdict.value
    'supported'
    """
    options = {one.ini.removeprefix("llmpref_"): one for one in (*OPTIONS, RECORD_MODE)}
    given: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in options or name in PYTEST_ONLY:
            raise SettingError(f"open_study has no {name}; there are {', '.join(sorted(options.keys() - PYTEST_ONLY))}")
        option = options[name]
        if option.many:
            given[name] = (value,) if isinstance(value, str) else tuple(value)
        elif name in FILES:
            given[name] = Path(value)
        else:
            found = converted(option, str(value).lower() if option.kind is bool else str(value), name)
            given[name] = Path(found) if name == "cassettes" else found
    # In a run of pytest those of its plugins are known, and more than these.
    if all(map(is_shipped, behaviours())):
        register_installed()
    return OpenStudy(default_settings(models=(model,), began=datetime.now(UTC), **given))


def _progress(title: str, total: int) -> Progress:
    from pytest_llmpref.report.progress import AskingProgress  # noqa: PLC0415 - a replay asks nothing

    return AskingProgress(title, total, nullcontext)
