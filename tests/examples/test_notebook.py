"""The notebook of the documents, in a kernel of Jupyter's: its cells run inside a running event loop."""

import pytest
from repository import ROOT

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("altair")


def outputs(notebook, cell):
    (found,) = [one for one in notebook.cells if one.id == cell]
    return found.outputs


def test_the_notebook_runs_and_shows_what_it_says(tmp_path):
    notebook = nbformat.read(ROOT / "docs/notebooks/measures.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    ran = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert "preference of sim/paper-a: 72 entities" in outputs(ran, "open")[-1].data["text/html"]
    said = outputs(ran, "claim")
    assert "inconclusive" in said[-1].data["text/plain"] or "supported" in said[-1].data["text/plain"]
    assert "vegaEmbed" in outputs(ran, "chart")[-1].data["text/html"]
