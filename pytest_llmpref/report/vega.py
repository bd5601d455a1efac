"""The charting library's JavaScript: Vega, Vega-Lite and Vega-Embed, out of the installed vl-convert-python."""

import contextlib
import importlib.metadata
from pathlib import Path

import platformdirs

SNIPPET = "window.vegaEmbed = vegaEmbed;"
"""What the bundle leaves for a page's own script."""


def vega_script() -> bytes:
    """Return the script that a page embeds, in UTF-8.

    Bundling it takes about a second, so a copy is kept in the user's cache folder, for each release of vl-convert.
    """
    version = importlib.metadata.version("vl-convert-python")
    kept = platformdirs.user_cache_path("pytest-llmpref") / f"vega-{version}.js"
    with contextlib.suppress(OSError):
        return kept.read_bytes()
    import vl_convert  # noqa: PLC0415 - 90 MB to map

    script = str(vl_convert.javascript_bundle(SNIPPET)).encode()
    # A home that cannot be written costs a second for each report, and nothing else.
    with contextlib.suppress(OSError):
        _keep(script, kept)
    return script


def _keep(script: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_bytes(script)
    draft.replace(path)
