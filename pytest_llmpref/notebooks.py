"""A study without pytest: for notebooks and scripts."""

import difflib
import json
import re
from collections.abc import Iterable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
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
from pytest_llmpref.experiments.registry import behaviours, is_shipped, measured_by
from pytest_llmpref.models.opening import is_organism, is_simulated
from pytest_llmpref.results.schema import SCHEMA, ModelRecord, Results
from pytest_llmpref.study.extensions import register_installed
from pytest_llmpref.study.studies import Studies
from pytest_llmpref.study.study import Progress

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from pytest_llmpref.charts import Chart

PYTEST_ONLY = frozenset({"model", "report_dir", "keep_runs", "baseline", "shard", "plan", "policy", "strict"})
"""Options that are about tests and their reports."""


class OpenStudy:
    """The measures of one model, each asked or replayed when it is first needed. Made by `open_study`.

    Get them by the name of the fixture, ``study.preferences``, or by the name of the measure in results.json,
    ``study["preference"]``.
    """

    def __init__(self, settings: Settings) -> None:
        self._studies = Studies(settings, _progress)
        self._model = settings.models[0]

    def __getattr__(self, fixture: str) -> Measure:
        measures = measured_by()
        if fixture.startswith("_") or fixture not in measures:
            raise AttributeError(f"a study has no {fixture!r}: {_nearest(fixture, measures)}")
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
            raise KeyError(f"no measure {measure!r}: {_nearest(measure, behaviours())}")
        return self._studies[self._model].measure(measure)

    def results(self) -> "SavedResults":
        """Return everything measured so far, as a run would write it into results.json."""
        found = self._studies.found()
        assert found.run is not None  # noqa: S101 - a study always says how it was set up
        models = {
            model: ModelRecord(simulated=is_simulated(model), organism=is_organism(model), measures=measures, claims=[])
            for model, measures in found.measures.items()
        }
        return SavedResults(Results(schema=SCHEMA, run=found.run, entities=found.entities, models=models))

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *measured_by()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the model. Its measures stay usable."""
        self._studies.close()


def _nearest(name: str, there: Iterable[str]) -> str:
    """Say which names a user may have meant; all that there are, where none is near."""
    known = list(there)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"


class SavedResults:
    """The results of a run, for a notebook. Made by `load_results` and by `OpenStudy.results`.

    Attributes
    ----------
    record
        The content of results.json, as typed records: ``record.models[NAME].measures[MEASURE]``.
    """

    def __init__(self, record: Results) -> None:
        self.record = record

    def to_frame(self, table: str = "claims") -> "pd.DataFrame":
        """Return a table.

        Parameters
        ----------
        table
            ``claims``, ``measures`` (a row for each entity) or ``trials``.

        Raises
        ------
        SettingError
            If there is no such table.
        """
        import pandas as pd  # noqa: PLC0415 - slow to import

        from pytest_llmpref.export.records import TABLES, rows_of  # noqa: PLC0415

        if table not in TABLES:
            raise SettingError(f"no table {table!r}: use one of {', '.join(TABLES)}")
        return pd.DataFrame(list(rows_of(self.record, table)), columns=list(TABLES[table]))

    def charts(self, model: str = "") -> "list[alt.TopLevelMixin]":
        """Return the charts of a model's measures, as in its report, for Altair.

        Parameters
        ----------
        model
            Its name; by default, the first model.

        Raises
        ------
        SettingError
            If the results hold no such model, or altair is not installed.
        """
        try:
            import altair as alt  # noqa: PLC0415 - no dependency of ours
        except ImportError:
            raise SettingError("charts need altair: pip install altair") from None
        from pytest_llmpref.charts import Names  # noqa: PLC0415
        from pytest_llmpref.report.views import figures_of  # noqa: PLC0415

        name = model or next(iter(self.record.models))
        if name not in self.record.models:
            raise SettingError(f"no model {name!r}: there are {', '.join(self.record.models)}")
        drawn = figures_of(name, self.record.models[name], Names(self.record)).values()
        return [alt.Chart.from_dict(_coloured(chart)) for chart in drawn if chart is not None]

    def _repr_html_(self) -> str:
        shown = ["model", "nodeid", "entity", "value", "low", "high", "threshold", "verdict"]
        return str(self.to_frame()[shown].to_html(max_rows=20, index=False))


def _coloured(chart: "Chart") -> dict[str, Any]:
    """Return a chart's specification with colours in the place of the names that the report's page gives them."""
    from pytest_llmpref.report.page import ASSETS  # noqa: PLC0415 - for charts

    style = (ASSETS / "report.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--(\w+): light-dark\((#\w+),", style))
    spec = json.dumps({"title": chart.title, **chart.spec})
    found: dict[str, Any] = json.loads(re.sub(r"var\(--(\w+)\)", lambda name: colours[name[1]], spec))
    return found


def load_results(path: str | Path) -> SavedResults:
    """Read the results.json of a run, for a notebook.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ResultsFileError
        If the file is not a valid results.json.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import msgspec
    >>> from pytest_llmpref import load_results, open_study
    >>> with TemporaryDirectory() as folder, open_study("sim/paper-a", profile="smoke") as study:
    ...     preferences = study.preferences
    ...     path = Path(folder) / "results.json"
    ...     _ = path.write_bytes(msgspec.json.encode(study.results().record))
    ...     results = load_results(path)
    >>> results.to_frame("measures").shape
    (72, 11)
    """
    from pytest_llmpref.results import loading  # noqa: PLC0415 - as above

    register_once()
    return SavedResults(loading.load_results(Path(path)))


def open_study(model: str, **settings: Any) -> OpenStudy:  # noqa: ANN401 - each has the type of its option
    """Open a study of one model, without pytest: for notebooks and scripts.

    It asks the same questions as a run of pytest, and shares its recordings. So a notebook can replay what CI recorded,
    and vice versa.

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
        If an option does not exist or has an invalid value.
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
    register_once()
    return OpenStudy(default_settings(models=(model,), began=datetime.now(UTC), **given))


def register_once() -> None:
    """Register what installed packages add. In a run of pytest those of its plugins are known, and more than these."""
    if all(map(is_shipped, behaviours())):
        register_installed()


def _progress(title: str, total: int) -> Progress:
    from pytest_llmpref.report.progress import AskingProgress  # noqa: PLC0415 - a replay asks nothing

    return AskingProgress(title, total, nullcontext)
