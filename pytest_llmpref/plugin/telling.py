"""Other packages are told of a run's results, by hooks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_llmpref.results.schema import Results


class HookWarning(pytest.PytestWarning):
    """A hook that was told of the results raised an error."""


def tell(config: pytest.Config, results: Results, folder: Path) -> None:
    """Tell of each claim, and of the results as a whole. An error of a hook is none of the run's.

    Parameters
    ----------
    config
        Of the run.
    results, folder
        What was found, and where it is written.
    """
    for name, told in _told(results, folder):
        try:
            getattr(config.pluginmanager.hook, name)(**told)
        except Exception as error:  # noqa: BLE001 - of another package, and the verdicts must still be shown
            said = f"{name} raised {type(error).__name__}: {error}; the results are written all the same"
            config.issue_config_time_warning(HookWarning(said), stacklevel=2)


def _told(results: Results, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for model, found in results.models.items():
        for claim in found.claims:
            yield "pytest_llmpref_claim", {"model": model, "claim": claim}
    yield "pytest_llmpref_run_finished", {"results": results, "folder": folder}
