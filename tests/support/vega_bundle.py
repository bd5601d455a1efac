"""Makes the script anew that report.html draws its charts with: ``python tests/support/vega_bundle.py``.

It is bundled once and travels in the wheel. Bundling needs vl-convert-python, which takes 84 MB and has no release for
some systems, so users of the plugin do not install it.
"""

import gzip

import vl_convert

from pytest_llmpref.report.page import VEGA

SNIPPET = "window.vegaEmbed = vegaEmbed;"
"""What the bundle leaves for a page's own script."""


def bundled() -> bytes:
    """Return the script, in UTF-8."""
    return str(vl_convert.javascript_bundle(SNIPPET)).encode()


if __name__ == "__main__":
    VEGA.write_bytes(gzip.compress(bundled(), 9, mtime=0))
    print(f"{VEGA.name}: {VEGA.stat().st_size:,} bytes, by vl-convert {vl_convert.__version__}")
