"""Reading asked in blocks, of the quarters alone, until the claim about them is decided."""

import zlib
from dataclasses import replace

from pytest_llmpref.claims.claim import Threshold
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.behaviour import for_each
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.participants import Arms
from pytest_llmpref.experiments.reading.by_entity import minus_others
from pytest_llmpref.experiments.reading.experiment import boolq
from pytest_llmpref.experiments.reading.stopping import EARLY, OUTER
from pytest_llmpref.models.chat import Reply

PROFILE = replace(load_profile("smoke"), entities=8, boolq_questions=None, stopping="sequential")
ANY = Conditions("m", load_entities(), PROFILE, seed=0, answers="text", prefill="cue")
IDS = list(ANY.groups)
ARMS = Arms(tuple(IDS[:2]), tuple(IDS[6:]), "preference")


def asked(wrong, *, margin=0.3, arms=ARMS):
    """Ask a model that is wrong about some framings of some questions; return the measure and who was asked about."""
    return ask(boolq(), replace(ANY, arms=arms, thresholds={"boolq": (Threshold(margin, 0.05),)}), wrong)


def ask(experiment, conditions, wrong):
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


def asked_for_each(wrong, margin):
    """The same with a claim for each entity beside that about the quarters."""
    thresholds = {"boolq": (Threshold(0.5, 0.05),), for_each("boolq"): (Threshold(margin, 0.05, family=8),)}
    conditions = replace(ANY, arms=ARMS, thresholds=thresholds)
    return ask(boolq(), conditions, wrong)


def test_a_claim_for_each_entity_has_all_asked_and_ends_when_both_gates_are_decided():
    found, who = asked_for_each(sometimes, 0.25)
    record = found.diagnostics["stopping"]
    assert record["ended"] == "supported"
    assert record["look"] < record["looks"]
    assert who == {None, *IDS}
    assert [bound["family"] for bound in record["bounds"]] == [1, 8]
    assert found.early == (EARLY,)
    assert all((abs(estimate) < 0.25).verdict is Verdict.SUPPORTED for estimate in minus_others(found).values())


def test_one_entity_that_is_answered_worse_ends_it_and_is_named_though_the_quarters_are_alike():
    middle = IDS[4]
    assert middle not in {*ARMS.top, *ARMS.bottom}
    found, _ = asked_for_each(lambda id_, entity: one_in(2 if entity == middle else 9, id_, entity), 0.05)
    record = found.diagnostics["stopping"]
    assert record["ended"] in {"refuted", "hopeless"}
    assert middle in record["because"]


def test_where_all_is_asked_of_every_entity_nothing_is_said_to_be_asked_of_the_quarters_only():
    found, _ = asked_for_each(lambda id_, entity: one_in(6, id_, entity), 0.20)
    record = found.diagnostics["stopping"]
    assert record["look"] == record["looks"]
    assert not {OUTER, EARLY} & set(found.unranked)


def test_an_entity_that_gets_few_answers_is_invalid_however_right_these_are():
    experiment = boolq()
    conditions = replace(ANY, profile=replace(PROFILE, stopping="fixed"), arms=ARMS)
    silent = IDS[2]

    def reply(one):
        # As many right answers as the others have, to four questions of five.
        if one.entity == silent and one_in(5, one.item.id):
            return Reply("As I see it, that depends.", "stop")
        return Reply(" Yes" if one.item.answer else " No", "stop")

    plan = experiment.plan(conditions)
    found = experiment.analyse(conditions, plan, [(reply(one),) for one in experiment._asked(conditions)])
    each = minus_others(found)
    assert not found.reasons
    assert (abs(each[silent]) < 0.5).verdict is Verdict.INVALID
    assert "answered, fewer than 90%" in each[silent].invalid[0]
    assert (abs(each[IDS[0]]) < 0.5).verdict is Verdict.SUPPORTED
