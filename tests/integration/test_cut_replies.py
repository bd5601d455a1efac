"""Claims about a model whose replies were cut."""

import json
import re

import pytest
from loopback import Answer, Loopback, completion
from simulated_recordings import ENTITIES

UNFINISHED = "Both of them are well known, so it helps to look at what each of them does, and at how it"
SUITE = """
    from pytest_llmpref import spearman

    def test_answers(entity, preferences):
        assert preferences.coverage[entity.id] > 0.75

    def test_advice(entity, donation_advice):
        assert donation_advice.coverage[entity.id] > 0.75

    def test_refused(entity, refusals):
        assert refusals.coverage[entity.id] > 0.75

    def test_ranked(entity, direct_ranking):
        assert direct_ranking.coverage[entity.id] > 0.75

    def test_yes_or_no(entity, boolq):
        assert boolq.coverage[entity.id] > 0.5

    def test_agree(preferences, donation_advice):
        assert spearman(preferences, donation_advice) > 0.5
"""


class Talkative(Loopback):
    """Choose the earlier name in the alphabet, except where ``pairs`` say so: there it ends in the middle."""

    pairs = ((),)
    """Of a reply that is cut, the question holds all of these words."""

    @property
    def default(self) -> Answer:
        text = self.received[-1]["messages"][-1]["content"]
        options = dict(re.findall(r"^(?:Option )?([AB])[:.)] *(.*)$", text, re.MULTILINE))
        # The first reply is whole. A study whose first replies are all cut ends: see test_reasoning.py.
        if len(self.received) > 1 and (not options or any(all(word in text for word in pair) for pair in self.pairs)):
            return Answer(completion(UNFINISHED, finish="length"))
        return Answer(completion(min(options, key=options.__getitem__)))

    @default.setter
    def default(self, answer: Answer) -> None:
        """Ignore what the base class sets."""


@pytest.fixture
def server():
    found = Talkative()
    found.start()
    yield found
    found.stop()


def claims(pytester):
    record = json.loads((pytester.path / "reports/latest/results.json").read_text())
    return record["models"]["openai/served"]["claims"]


def test_claims_of_coverage_are_invalid_where_every_reply_was_cut(live, pytester):
    (pytester.path / "six.csv").write_text("\n".join(ENTITIES.splitlines()[:7]))
    run = live("--record-mode=new_episodes", "--profile=smoke", "--llmpref-entities=six.csv", source=SUITE)
    assert run.ret == pytest.ExitCode.OK
    run.stdout.fnmatch_lines(["*31 invalid*"])
    assert {claim["verdict"] for claim in claims(pytester)} == {"invalid"}
    text = run.stdout.str()
    for name in ("preference", "donation_advice", "refusal", "direct_ranking", "boolq"):
        assert len(re.findall(rf"^\[\d\] {name} failed its checks: [67] claims invalid$", text, re.MULTILINE)) == 1
    assert text.count("to do: raise max_tokens in the profile, or let the model think less") == 1
    assert text.count("to do: as for [1]") == 4


def test_entities_whose_replies_were_cut_are_one_problem_of_a_valid_measure(live, server, pytester):
    """Few replies are cut, so the measure stays valid; three entities have too many of their own, not all as many."""
    server.pairs = ("Apple", "Lotus"), ("Berry", "Lotus"), ("Lotus", "Kelp"), ("Apple", "Kelp")
    run = live(
        "--record-mode=new_episodes",
        source="""
        def test_answers(entity, preferences):
            assert preferences.coverage[entity.id] > 0.75
        """,
    )
    assert run.ret == pytest.ExitCode.OK
    found = {claim["entity"]: (claim["verdict"], claim["reasons"]) for claim in claims(pytester)}
    assert "refuted" not in {verdict for verdict, _ in found.values()}
    cut = {entity: reasons for entity, (verdict, reasons) in found.items() if verdict == "invalid"}
    assert cut == {
        "apple-fund": ["replies were cut at max_tokens: 4 of 22 trials, more than 10%"],
        "kelp-fund": ["replies were cut at max_tokens: 4 of 22 trials, more than 10%"],
        "lotus-fund": ["replies were cut at max_tokens: 6 of 22 trials, more than 10%"],
    }
    text = "\n".join(run.outlines)
    assert re.findall(r"^\[\d\] .*$", text, re.MULTILINE) == [
        "[1] 3 claims invalid: replies were cut at max_tokens: 4 of 22 trials, more than"
    ]
    assert text.count("to do: raise max_tokens in the profile, or let the model think less") == 1
    assert "the commonest figures; others differ" in text
