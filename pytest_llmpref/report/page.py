"""report.html: one file that holds everything it shows, made from results.json alone; and what is written beside it."""

import base64
import contextlib
import gzip
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmpref.charts import Names
from pytest_llmpref.claims import verdicts
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.registry import in_order
from pytest_llmpref.files import NotAFileError, explained, write_whole
from pytest_llmpref.report import labels, wording
from pytest_llmpref.report.comparison import compared_model
from pytest_llmpref.report.forest import TICKS, forest
from pytest_llmpref.report.summary import summary
from pytest_llmpref.report.views import (
    Figure,
    ModelView,
    cost,
    entity_rows,
    model_views,
    packed,
    packed_trials,
    table_rows,
    together,
)
from pytest_llmpref.results.schema import Results

if TYPE_CHECKING:
    from collections.abc import Callable


ASSETS = Path(__file__).with_name("assets")
VEGA = ASSETS / "vega.js.gz"
"""The script that draws charts; its licences are beside it, and ``tests/support/vega_bundle.py`` makes it."""
OPTION = re.compile(r"((?<![\w-])--?[a-zA-Z][\w-]*)")
"""An option in a text, such as ``--llmpref-boolq``: no line ends within it."""
LARGEST = 2_900_000
"""Bytes of a page: trials are clipped and thinned out, and said to be, where they would take more."""


def page(results: Results) -> str:
    """Return the report as HTML."""
    names = Names(results)
    models = model_views(results, names)
    all_models = together(results, models, names)
    comparison = results.comparison
    view = drawing_kit(_shown(models, all_models, names)) | {
        "results": results,
        "models": models,
        "rows": table_rows(models),
        "forest": forest(models),
        "together": all_models,
        "measured": _measured(models),
        "compared": []
        if comparison is None
        else [compared_model(name, model, names) for name, model in comparison.models.items()],
    }
    drawn = template("report.html.j2")
    without = len(drawn.render(**view, trials="").encode())
    return str(drawn.render(**view, trials=packed_trials(results, LARGEST - without)))


def drawing_kit(shown: object) -> dict[str, str]:
    """Return what a page draws with, for its template: its script and styles, the charts, and what it may run.

    Parameters
    ----------
    shown
        The charts and signs, as the script expects them.
    """
    vega = VEGA.read_bytes()
    script, style = (_asset(name) for name in ("report.js", "report.css"))
    return {
        "vega": base64.b64encode(vega).decode(),
        "shown": packed(shown),
        "script": script.decode(),
        "style": style.decode(),
        "policy": _policy([script, gzip.decompress(vega)], [style]),
    }


def _asset(name: str) -> bytes:
    """Return a file of the page's as browsers count it for its hash, whatever line ends a checkout gave it."""
    return (ASSETS / name).read_bytes().replace(b"\r\n", b"\n")


def _measured(models: Sequence[ModelView]) -> list[str]:
    """Return the measures that any model has: the shipped ones, then those of other packages."""
    return in_order(sorted({name for model in models for name in model.record.measures}))


@cache
def template(name: str) -> Any:  # noqa: ANN401 - jinja2's, imported here
    """Return the template of a page, which takes a tenth of a second to compile."""
    import jinja2  # noqa: PLC0415 - for runs that measure

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": wording.number,
        "share": wording.share,
        "words": wording.words,
        "cost": cost,
        "ended": wording.where_it_ended,
        "swaps_said": wording.swaps_said,
        "judge_sentence": wording.judge_sentence,
        "at_options": OPTION.split,
        "checked": labels.checked,
        "rate": labels.rate,
    }
    environment.globals |= {"marks": verdicts.MARKS, "meanings": verdicts.MEANINGS, "plural": wording.plural}
    environment.globals |= {"ticks": TICKS, "nothing_asked": wording.nothing_asked}
    environment.globals |= {"control_said": wording.control_said}
    return environment.get_template(name)


def _shown(models: Sequence[ModelView], all_models: Sequence[Figure], names: Names) -> dict[str, Any]:
    """Return what the page's script draws: charts, and the claims about entities, with the signs of their verdicts."""
    figures = [*all_models, *(figure for model in models for figure in model.figures)]
    return {
        "marks": verdicts.MARKS,
        "charts": {figure.id: figure.chart.record() for figure in figures},
        "entities": {
            claim.id: entity_rows(claim, names) for model in models for claim in model.claims if claim.group.by_entity
        },
    }


def _policy(scripts: Sequence[bytes], styles: Sequence[bytes]) -> str:
    """Return the Content-Security-Policy: nothing is loaded, and only what this page was made with runs."""
    run, styled = (
        " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one).digest()).decode()}'" for one in contents)
        for contents in (scripts, styles)
    )
    return (
        f"default-src 'none'; script-src {run}; style-src {styled}; img-src data:; base-uri 'none'; form-action 'none'"
    )


class ReportError(LLMPrefError):
    """A report could not be drawn or written. results.json was written before, and has everything."""


def write_reports(results: Results, folder: Path) -> list[Path]:
    """Write ``report.html`` and ``summary.md``, and return their paths.

    Where one of them fails, the other is written still, and no earlier one is left to be taken for the new.

    Raises
    ------
    ReportError
        If one of them cannot be drawn or written; the message names the file and the reason.
    """
    drawn: dict[str, Callable[[Results], str]] = {"report.html": page, "summary.md": summary}
    problems = []
    for name, draw in drawn.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Names may hold half a surrogate pair, which UTF-8 cannot express.
            write_whole(folder / name, draw(results).encode("utf-8", "replace"), f"{name}.part")
        except OSError as error:
            # What fails while the report is drawn names no file.
            error.filename = error.filename or str(folder / name)
            problems.append(explained(error, "write", "make the folder writable or free disk space"))
            if not isinstance(error, NotAFileError):
                _leave_no_earlier(folder / name)
        except Exception as error:  # noqa: BLE001 - whatever fails here, the results are written, and it gets a name
            said = str(error) if isinstance(error, LLMPrefError) else f"{type(error).__name__}: {error}"
            problems.append(f"{folder / name}: cannot be drawn ({said})")
            _leave_no_earlier(folder / name)
    if problems:
        again = f"llmpref report {folder / 'results.json'}"
        raise ReportError("\n".join([*problems, f"results.json is complete; to draw its reports again: {again}"]))
    return [folder / name for name in drawn]


def _leave_no_earlier(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
