"""report.html: one file that holds everything it shows, made from results.json alone."""

import base64
import gzip
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_llmpref.charts.drawing import Names
from pytest_llmpref.claims import verdict
from pytest_llmpref.experiments.registry import in_order
from pytest_llmpref.report import claims
from pytest_llmpref.report.compared import compared_model
from pytest_llmpref.report.transcripts import packed, packed_trials
from pytest_llmpref.report.vega import vega_script
from pytest_llmpref.report.views import Figure, ModelView, cost, entity_rows, model_views, table_rows, together
from pytest_llmpref.results.diagnostics import where_it_ended
from pytest_llmpref.results.loading import Results

ASSETS = Path(__file__).with_name("assets")
LARGEST = 2_900_000
"""Bytes of a page: trials are clipped and thinned out, and said to be, where they would take more."""


def page(results: Results) -> str:
    """Return the report as HTML."""
    names = Names(results)
    models = model_views(results, names)
    all_models = together(results, models, names)
    vega, comparison = vega_script(), results.comparison
    script, style = (_asset(name) for name in ("report.js", "report.css"))
    view = {
        "results": results,
        "models": models,
        "rows": table_rows(models),
        "together": all_models,
        "measured": _measured(models),
        "compared": []
        if comparison is None
        else [compared_model(name, model, names) for name, model in comparison.models.items()],
        "vega": base64.b64encode(gzip.compress(vega, 6, mtime=0)).decode(),
        "shown": packed(_shown(models, all_models, names)),
        "script": script.decode(),
        "style": style.decode(),
        "policy": _policy([script, vega], [style]),
    }
    template = _template()
    without = len(template.render(**view, trials="").encode())
    return str(template.render(**view, trials=packed_trials(results, LARGEST - without)))


def _asset(name: str) -> bytes:
    """Return a file of the page's as browsers count it for its hash, whatever line ends a checkout gave it."""
    return (ASSETS / name).read_bytes().replace(b"\r\n", b"\n")


def _measured(models: Sequence[ModelView]) -> list[str]:
    """Return the measures that any model has: the shipped ones, then those of other packages."""
    return in_order(sorted({name for model in models for name in model.record.measures}))


def _template() -> Any:  # noqa: ANN401 - jinja2's, imported here
    import jinja2  # noqa: PLC0415 - for runs that measure

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": claims.number,
        "share": _share,
        "words": _words,
        "cost": cost,
        "ended": where_it_ended,
    }
    environment.globals |= {"marks": verdict.MARKS, "meanings": verdict.MEANINGS, "plural": claims.plural}
    return environment.get_template("report.html.j2")


def _shown(models: Sequence[ModelView], all_models: Sequence[Figure], names: Names) -> dict[str, Any]:
    """Return what the page's script draws: charts, and the claims about entities."""
    figures = [*all_models, *(figure for model in models for figure in model.figures)]
    return {
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


def _share(value: object) -> str:
    """Return a share in percent; of an estimate, its value."""
    found = value.get("value") if isinstance(value, dict) else value
    return f"{found:.1%}" if isinstance(found, int | float) else "\u2013"


def _words(name: str) -> str:
    return name.replace("_", " ")
