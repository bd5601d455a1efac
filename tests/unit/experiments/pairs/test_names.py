"""Questions about names, what they say of a habit, and what the pull of liking is on them and on advice."""

import re
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from studies_in_contexts import measured, profile_of

from pytest_llmpref import pull_of_liking, share_right, spearman
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.pairs.names import CONTRARIES, LEAST_APART, NameTrial, contraries
from pytest_llmpref.experiments.pairs.naming import NameExperiment
from pytest_llmpref.experiments.pairs.questions import PairQuestion
from pytest_llmpref.experiments.registry import behaviour_of
from pytest_llmpref.experiments.trials import load_prompts
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.models.simulated.knowing import asked_of_names, right_name

EXPERIMENT = NameExperiment("name_questions", "names")
CONDITIONS = Conditions("openai/x", load_entities(), load_profile("smoke"), seed=0, answers="text", prefill="cue")
MEASURES = ("preference", "donation_advice", "name_questions")


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return profile_of(tmp_path_factory.mktemp("profile"), partners=12, name_partners=4)


@pytest.fixture(scope="module")
def preferences():
    """Those of all 72."""
    return measured("sim/paper-a", "smoke", "preference")[0]


def answered(choose, conditions=CONDITIONS):
    """Return the measure of answers that are a function of the question."""
    plan = EXPERIMENT.plan(conditions)
    replies = [(Reply(choose(question), "stop"),) for question in plan.questions]
    return EXPERIMENT.analyse(conditions, plan, replies)


def rightly(question):
    return question.labels[0 if question.first_is_right else 1]


def by_place(question):
    return question.labels[0]


def by_id(question):
    return question.labels[0 if question.first < question.second else 1]


@pytest.mark.parametrize("profile", ["smoke", "standard", "paper"])
def test_each_name_place_and_label_is_right_in_half_of_the_questions_about_every_pair(profile):
    plan = EXPERIMENT.plan(replace(CONDITIONS, profile=load_profile(profile)))
    pairs = defaultdict(list)
    for question in plan.questions:
        right = question.first if question.first_is_right else question.second
        pairs[question.pair].append((right, question.first_is_right, rightly(question)))
    assert len(pairs) == 72 * load_profile(profile).name_partners / 2
    for found in pairs.values():
        assert len(found) == 4
        assert all(set(Counter(column).values()) == {2} for column in zip(*found, strict=True))


def test_the_form_is_that_of_advice():
    names, advice = load_prompts("names"), load_prompts("donation")
    assert (names.form, names.lead) == (advice.form, advice.lead)
    wording = re.compile(r"\b(?:like|prefer|favou?r|best|better|donat|money|give|should)", re.IGNORECASE)
    assert not [text for texts in names.choices.values() for text in texts if wording.search(text)]


@pytest.mark.parametrize("entities", ["default", "countries", "companies", "figures", "animals", "products"])
def test_what_is_asked_about_is_varied_in_every_shipped_set(entities):
    plan = EXPERIMENT.plan(replace(CONDITIONS, entities=load_entities(Path(entities))))
    asked = Counter(question.fact for question in plan.questions)
    assert set(asked) == {fact for facts in CONTRARIES for fact in facts}
    assert all(asked[one] == asked[other] for one, other in CONTRARIES)
    assert min(asked.values()) >= 0.02 * sum(asked.values())


def asked_about(first, second, about):
    question = PairQuestion("a", "b", True, about, 0)
    return [(one.fact, one.first_is_right) for one in contraries(question, {"a": first, "b": second}, 1)]


@pytest.mark.parametrize(
    ("first", "second", "about", "fact", "is_first"),
    [
        ("Oxfam", "UNICEF International", 0, "longer", False),
        ("Oxfam", "Oxfam" + LEAST_APART * "x", 0, "longer", False),
        ("Oxfam", "Oxfam" + (LEAST_APART - 1) * "x", 0, "upper", True),
        ("Oxfam", "UNICEF", 0, "earlier", True),
        ("the LEGO Group", "Oxfam Ireland", 0, "upper", True),
        ("the LEGO Group", "the RSPCA", 1, "earlier", True),
        ("the LEGO Group", "Patagonia", 1, "upper", True),
        ("a zebra", "an apple", 1, "upper", True),
        ("Äpfel", "Zürich", 1, "earlier", True),
        ("Oxfam", "Olympia", 1, "upper", True),
        ("日本", "中国", 1, "upper", True),
        ("UNICEF", "Oxfam", 2, "upper", True),
    ],
)
def test_only_what_has_a_clear_answer_is_asked(first, second, about, fact, is_first):
    contrary = dict(CONTRARIES)[fact]
    assert asked_about(first, second, about) == [(fact, is_first), (contrary, not is_first)]


def test_a_smaller_profile_asks_a_part_of_a_larger_ones_questions():
    keys = [
        {request.key for request in EXPERIMENT.plan(replace(CONDITIONS, profile=load_profile(name))).requests}
        for name in ("smoke", "standard", "paper")
    ]
    assert keys[0] < keys[1] < keys[2]


def test_a_simulated_model_understands_every_wording_and_knows_the_same_answers():
    names = CONDITIONS.names
    plan = EXPERIMENT.plan(replace(CONDITIONS, profile=load_profile("standard")))
    for question, request in zip(plan.questions, plan.requests, strict=True):
        said = re.sub(r"^Option .*$", "", request.messages[-1].content, flags=re.MULTILINE)
        assert asked_of_names(said) == question.fact
        options = [names[question.first], names[question.second]]
        assert right_name(question.fact, options) == options[0 if question.first_is_right else 1]


def test_answers_that_are_all_right_name_all_alike(preferences):
    found = answered(rightly)
    assert found.valid
    assert share_right(found).value == 1
    assert set(found.values.values()) == {0.5}
    pull = pull_of_liking(found, preferences)
    assert pull.value == pytest.approx(0)
    assert 0 < pull.interval().high < 0.05


def test_answers_by_place_have_no_pull_and_are_right_half_the_time(preferences):
    found = answered(by_place)
    assert found.valid
    assert share_right(found).value == 0.5
    assert pull_of_liking(found, preferences).value == pytest.approx(0)


def test_replies_without_a_choice_make_it_invalid(preferences):
    found = answered(lambda question: "I cannot say." if question.wording % 2 else rightly(question))
    assert not found.valid
    assert [reason for reason in pull_of_liking(found, preferences).invalid if "coverage" in reason]
    assert share_right(found).invalid


def test_a_habit_pulls_at_names_as_at_advice(profile):
    preferences, advice, names = measured("sim/habit", profile, *MEASURES)
    assert (abs(pull_of_liking(names, preferences)) < 0.1).verdict is Verdict.REFUTED
    assert (pull_of_liking(advice, preferences) > 0.1).verdict is Verdict.SUPPORTED
    beyond = pull_of_liking(advice, preferences, beyond=names)
    assert (beyond > 0).verdict is Verdict.INCONCLUSIVE
    assert beyond.value == pytest.approx(
        pull_of_liking(advice, preferences).value - pull_of_liking(names, preferences).value
    )


def test_an_adviser_that_reads_names_has_no_habit(profile):
    preferences, advice, names = measured("sim/paper-a", profile, *MEASURES)
    assert (abs(pull_of_liking(names, preferences)) < 0.1).verdict is Verdict.SUPPORTED
    assert (pull_of_liking(advice, preferences, beyond=names) > 0).verdict is Verdict.SUPPORTED
    assert (share_right(names) > 0.8).verdict is Verdict.SUPPORTED


def test_no_measure_is_pulled_by_itself_or_its_own_control(profile):
    preferences, advice, _ = measured("sim/paper-a", profile, *MEASURES)
    by_itself = pull_of_liking(preferences, preferences) > 0
    assert (by_itself.verdict, by_itself.reasons[-1].partition(":")[0]) == (
        Verdict.INVALID, "preference is not independent of itself"
    )  # fmt: skip
    of_nothing = abs(pull_of_liking(advice, preferences, beyond=advice)) < 0.1
    assert (of_nothing.verdict, of_nothing.reasons[-1].partition(":")[0]) == (
        Verdict.INVALID, "donation_advice is its own control"
    )  # fmt: skip


def test_whom_it_names_is_no_preference(profile):
    preferences, _, names = measured("sim/habit", profile, *MEASURES)
    assert (spearman(preferences, names) > 0).verdict is Verdict.INVALID


def test_pairs_that_the_answers_chose_are_not_compared_with_others(profile):
    preferences, advice, names = measured("sim/habit", profile, *MEASURES)
    chosen = replace(advice, diagnostics=advice.diagnostics | {"selection": "adaptive"})
    assert (pull_of_liking(chosen, preferences, beyond=names) > 0).verdict is Verdict.INVALID


def test_a_change_between_releases_is_paired_by_pair():
    new, old = answered(by_id), answered(rightly)
    changes, _ = behaviour_of("name_questions").changes(new.trials, old.trials, list(new.groups))
    assert changes["unicef"].value == pytest.approx(new["unicef"].value - 0.5)
    same, _ = behaviour_of("name_questions").changes(new.trials, new.trials, list(new.groups))
    mixed = next(entity for entity, value in new.values.items() if 0 < value < 1)
    assert "correlation of errors 1.00" in same[mixed].method
    assert behaviour_of("name_questions").trial() is NameTrial
