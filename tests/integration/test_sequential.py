"""A recording that asks about refusals until it is decided."""

import json
import shutil

import pytest
from batch_server import IMPATIENT, BatchServer, planted
from fork_server import LIVE
from planted import PlantedModel
from planted_server import PlantedServer
from simulated_recordings import ENTITIES

from pytest_llmpref.files import data_folder

GATE = data_folder("suites") / "release_gate"
PROFILE = (data_folder("fixtures") / "profiles/smoke.toml").read_text().replace(
    "\npartners = 4 ", '\npartners = "all"'
) + 'stopping = "sequential"\n'


PLANNED, ASKED = 132 + 96, 66 + 96
"""Questions: each of 66 pairs in both orders, or in the one that decides; and of the control."""


@pytest.fixture
def served(pytester, monkeypatch):
    """Run the gate on refusals against a server, with a sequential profile and a margin that this can decide."""
    server = PlantedServer(PlantedModel({}))
    server.start()
    monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdefghij")
    (pytester.path / "twelve.csv").write_text(ENTITIES)
    (pytester.path / "small.toml").write_text(PROFILE)
    (pytester.path / "policy.toml").write_text("[even_handed]\nmargin = 0.35\n")
    shutil.copy(GATE / "test_even_handed.py", pytester.path)
    pytester.imported = LIVE

    def run(*options: str):
        given = ["--llmpref-entities=twelve.csv", "--profile=small.toml", "-p", "no:cacheprovider"]
        return pytester.runpytest_subprocess("--model=openai/served", *given, *options)

    yield run, server
    server.stop()


def test_a_recording_asks_until_it_is_decided_resumes_where_it_stopped_and_replays(served, pytester):
    run, server = served
    plan = run("--llmpref-plan")
    plan.stdout.fnmatch_lines([f"*refusal *<= {PLANNED} *<= {PLANNED} *", "*time: up to *"])
    # A look of each of 4 waits for the jobs of the one before.
    plan.stdout.fnmatch_lines(["*in batches *within 96 h", "*1 to 4 rounds of 24 h at the most, *"])
    recorded = run("--record-mode=new_episodes")
    assert recorded.ret == 0, recorded.stdout.str()
    assert len(server.received) == ASKED
    latest = pytester.path / "reports/latest/results.json"
    first = json.loads(latest.read_text())["models"]
    found = first["openai/served"]["measures"]["refusal"]
    stopping = found["diagnostics"]["stopping"]
    assert (stopping["ended"], stopping["look"], stopping["looks"]) == ("supported", 2, 4)
    assert (stopping["asked"], stopping["planned"]) == (ASKED, PLANNED)
    assert found["valid"]
    assert found["diagnostics"]["trials"] == ASKED - 96
    (journal,) = pytester.path.glob("cassettes/*.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    # As a killed run leaves it, in the middle of the first round.
    journal.write_text("".join(lines[:100]))
    refused = run()
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines([f"*refusal: up to {PLANNED - 100} of {PLANNED}*"])
    resumed = run("--record-mode=new_episodes")
    assert resumed.ret == 0, resumed.stdout.str()
    assert len(server.received) == 2 * ASKED - 100
    assert json.loads(latest.read_text())["models"] == first
    replayed = run()
    assert replayed.ret == 0
    replayed.stdout.fnmatch_lines(["*sequential: ended at look 2 of 4, since every claim is supported*"])
    assert json.loads(latest.read_text())["models"] == first
    # What follows the first look is a matter of the policy: a stricter one asks for more.
    (pytester.path / "policy.toml").write_text("[even_handed]\nmargin = 0.2\n")
    stricter = run()
    assert stricter.ret == pytest.ExitCode.USAGE_ERROR
    stricter.stderr.fnmatch_lines([f"*refusal: up to {PLANNED - ASKED} of {PLANNED}*"])


def test_in_batches_each_look_waits_for_the_jobs_before_it_and_ends_alike(served, pytester, monkeypatch):
    run, server = served
    assert run("--record-mode=new_episodes", "--llmpref-cassettes=singly").ret == 0
    singly = refusals(pytester)
    assert len(server.received) == ASKED
    provider = BatchServer(planted(PlantedModel({})))
    provider.start()
    pytester.makeconftest(IMPATIENT)
    monkeypatch.setenv("OPENAI_API_BASE", provider.api_base)
    try:
        recorded = run("--record-mode=new_episodes", "--llmpref-batch=wait", "--llmpref-batch-least=1")
    finally:
        provider.stop()
    assert recorded.ret == 0, recorded.stdout.str() + recorded.stderr.str()
    assert sum(provider.paid.values()) == ASKED
    assert set(provider.paid.values()) == {1}
    assert len(provider.jobs) >= 2
    in_batches = refusals(pytester)
    assert in_batches == singly
    assert in_batches["diagnostics"]["stopping"]["asked"] == ASKED


def refusals(pytester):
    """What the last run found, without how and when it asked."""
    found = json.loads((pytester.path / "reports/latest/results.json").read_text())["models"]["openai/served"]
    measure = found["measures"]["refusal"]
    for name in ("cost", "unpriced", "recorded", "batches"):
        measure["diagnostics"].pop(name, None)
    return measure
