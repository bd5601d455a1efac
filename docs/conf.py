"""The site: Sphinx with MyST and Furo. Build it with `sphinx-build -W -b html docs docs/_build/html`."""

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "pytest-llmpref"
author = "The pytest-llmpref developers"
copyright = author  # noqa: A001 - Sphinx's name
try:
    release = metadata.version("pytest-llmpref")
except metadata.PackageNotFoundError:
    release = "source tree"
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_llms_txt",
    "generated_pages",
    "gallery_reports",
]
exclude_patterns = ["_build", "_ext", "reference/_generated", "gallery/_generated"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
default_role = "literal"  # docstrings write names in single backticks
autodoc_typehints = "none"  # the signature's types stand in the numpydoc section
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = "pytest-llmpref"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

llms_txt_summary = (
    "pytest-llmpref is a pytest plugin that tests whether what a language model likes shows in what it does: "
    "preferences, donation advice, refusals, reading and agents, with verdicts that rest on intervals."
)
