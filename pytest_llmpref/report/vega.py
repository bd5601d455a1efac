"""The charting library's JavaScript: Vega, Vega-Lite and Vega-Embed, out of the installed vl-convert-python."""

import contextlib
import importlib.metadata
import tempfile
from pathlib import Path

import platformdirs

SNIPPET = "window.vegaEmbed = vegaEmbed;"
"""What the bundle leaves for a page's own script."""


def vega_script() -> bytes:
    """Return the script that a page embeds, in UTF-8; empty where vl-convert-python is not installed.

    It has no release for some systems, such as Alpine and Windows on ARM. The page shows its tables then.
    Bundling it takes about a second, so a copy is kept in the user's cache folder, for each release of vl-convert.
    """
    try:
        version = importlib.metadata.version("vl-convert-python")
    except importlib.metadata.PackageNotFoundError:
        return b""
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
    # A draft of its own, since several runs may bundle at once.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.stem, suffix=".part", delete=False) as draft:
        draft.write(script)
    Path(draft.name).replace(path)
