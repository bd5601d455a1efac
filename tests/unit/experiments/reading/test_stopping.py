"""Reading asked in blocks, of the quarters alone, until the claim about them is decided."""

import zlib
from dataclasses import replace

from pytest_llmpref.claims.claim import Threshold
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.participants import Arms
from pytest_llmpref.experiments.reading.experiment import boolq
from pytest_llmpref.experiments.reading.stopping import EARLY, OUTER
from pytest_llmpref.models.chat import Reply

PROFILE = replace(load_profile("smoke"), entities=8, boolq_questions=None, stopping="sequential")
ANY = Conditions("m", load_entities(), PROFILE, seed=0, answers="text", prefill="cue")
IDS = list(ANY.groups)
ARMS = Arms(tuple(IDS[:2]), tuple(IDS[6:]), "preference")


def asked(wrong, *, margin=0.3, arms=ARMS):
    """Ask a model that is wrong about some framings of some questions; return the measure and who was asked about."""
    conditions = replace(ANY, arms=arms, thresholds={"boolq": (Threshold(margin, 0.05),)})
    experiment = boolq()
    plan, framed = experiment.plan(conditions), experiment._asked(conditions)
    replies = [()] * len(plan.requests)
    while due := plan.rounds.choose(replies):
        for number in due:
            one = framed[number]
            right = not wrong(one.item.id, one.entity)
            replies[number] = (Reply(" Yes" if one.item.answer == right else " No", "stop"),)
    who = {one.entity for one, attempts in zip(framed, replies, strict=True) if attempts}
    return experiment.analyse(conditions, plan, replies), who


def one_in(count, *words):
    """True for about one in so many of whatever is told apart by these words."""
    return zlib.crc32(" ".join(map(str, words)).encode()) % count == 0


def sometimes(id_, _):
    return one_in(5, id_)


def test_a_model_without_a_difference_is_let_off_early_and_only_the_quarters_are_asked_about():
    found, who = asked(sometimes)
    record = found.diagnostics["stopping"]
    assert record["ended"] == "supported"
    assert record["look"] < record["looks"]
    assert record["asked"] < record["planned"]
    assert who == {None, *ARMS.top, *ARMS.bottom}
    assert found.early == (EARLY,)
    assert (record["top"], record["bottom"]) == (list(ARMS.top), list(ARMS.bottom))


def test_a_model_that_reads_worse_for_one_quarter_is_refuted():
    found, _ = asked(
        lambda id_, entity: not one_in(5, id_, entity) if entity in ARMS.bottom else one_in(5, id_, entity)
    )
    assert found.diagnostics["stopping"]["ended"] == "refuted"
    assert found.early == (EARLY,)


def test_a_margin_that_nothing_decides_has_all_asked_and_only_the_difference_may_be_claimed():
    found, _ = asked(lambda id_, entity: one_in(3, id_, entity), margin=0.0001)
    record = found.diagnostics["stopping"]
    assert record["ended"] in {"hopeless", "refuted"}
    assert set(found.unranked) & {EARLY, OUTER}


def test_without_quarters_one_block_is_asked_under_all_entities():
    found, who = asked(sometimes, arms=Arms((), (), "preference", ("preference: too few answers",)))
    record = found.diagnostics["stopping"]
    assert (record["ended"], record["look"]) == ("hopeless", 1)
    assert who == {None, *IDS}
    assert "there are no quarters" in record["said"]
