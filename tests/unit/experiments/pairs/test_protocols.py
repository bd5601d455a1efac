"""Robustness over protocols: which cells there are, what holds in them, and what an interval makes of the rest."""

import asyncio
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from scipy import special

from pytest_llmpref import Attempt, robustness, spearman
from pytest_llmpref.claims.claim import ledger
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.pairs import Advice, Preference
from pytest_llmpref.experiments.pairs.measure import pair_measure
from pytest_llmpref.experiments.pairs.protocols import Undecided, cells_of
from pytest_llmpref.experiments.pairs.questions import PairTrial, read_pair
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.models.simulated.model import SimulatedModel
from pytest_llmpref.parsing.outcome import Outcome

ENTITIES = 48
PROFILE = replace(load_profile("paper"), entities=ENTITIES)
CONDITIONS = Conditions("sim/paper-a", load_entities(), PROFILE, seed=0, answers="text", prefill="cue")
OPTIONS = {"A": "Oxfam", "B": "the British Museum"}


class Contrary(SimulatedModel):
    """Advises the other option where the user raised money at the office: two of eight wordings, a quarter of cells."""

    async def ask(self, request):
        reply = await super().ask(request)
        turned = "bake sale" in request.messages[-1].content and reply.text.strip()[:1] in "AB"
        return msgspec.structs.replace(reply, text="B" if reply.text.strip()[:1] == "A" else "A") if turned else reply


def measured(experiment, model, conditions=CONDITIONS):
    plan = experiment.plan(conditions)
    replies = asyncio.run(ask_all(model, plan, range(len(plan.requests)), in_flight=16))
    return experiment.analyse(conditions, plan, replies)


def follows(cell):
    return spearman(cell.preferences, cell.donation_advice) > 0


@pytest.fixture(scope="module")
def preferences():
    return measured(Preference().experiment(), SimulatedModel("sim/paper-a"))


@pytest.fixture(scope="module")
def cells(preferences):
    """Cells of preferences that stand for advice too."""
    return cells_of([preferences], [preferences])


def test_each_trial_is_in_the_cells_of_one_protocol_and_order_labels_and_wording_are_crossed(preferences, cells):
    by_protocol = {cell.protocol: cell for cell in cells}
    assert len(by_protocol) == 2 * 2 * 4
    keys = [trial.key for cell in by_protocol.values() for trial in cell.preferences.trials]
    assert sorted(keys) == sorted(trial.key for trial in preferences.trials)
    for cell in by_protocol.values():
        assert len(cell.preferences.trials) == pytest.approx(ENTITIES * (ENTITIES - 1) / 16, rel=0.15)


def test_preference_is_paired_only_with_advice_in_another_format(cells):
    assert len(cells) == len({(cell.protocol, cell.advised) for cell in cells}) == 16 * 3
    for cell in cells:
        one, other = cell.protocol, cell.advised
        assert one.wording != other.wording
        assert (one.first_is_a, one.in_order) != (other.first_is_a, other.in_order)
        assert one.form == other.form
        assert {trial.key for trial in cell.preferences.trials}.isdisjoint(
            trial.key for trial in cell.donation_advice.trials
        )


@pytest.mark.parametrize("pull", ["label", "position", "label_by_position"])
def test_a_pull_of_one_format_that_both_share_lets_a_finding_hold_in_a_third_of_the_cells_at_most(pull):
    """No strengths at all: what entities gain by the format is the same in both experiments."""
    ids = list(CONDITIONS.groups)
    plan = Preference().experiment().plan(CONDITIONS)
    rng = np.random.default_rng(3)
    gain = dict(zip(ids, rng.normal(0, 2, len(ids)), strict=True))

    def trial(question):
        a = 1 if question.first_is_a else -1
        one, other = gain[question.first], gain[question.second]
        pulls = {"label": a * (one + other), "position": one + other, "label_by_position": a * (one - other)}
        attempt = Attempt("k", Outcome.CHOICE, "")
        return PairTrial(
            (attempt,),
            (question.first, question.second),
            score=float(special.expit(pulls[pull])),
            first_is_a=question.first_is_a,
            wording=question.wording,
        )

    measure = pair_measure("preference", CONDITIONS, [trial(question) for question in plan.questions], [])
    found = robustness(cells_of([measure], [measure]), follows)
    assert 0.2 < found.value <= 1 / 3
    assert found.interval().high < 0.8
    # Where order alone decides, both orders cancel: the strengths are all the same, and tell nothing apart.
    assert found.invalid


def test_a_finding_that_holds_in_every_cell_is_robust_and_one_that_a_wording_turns_is_not(preferences):
    steady = measured(Advice().experiment(), SimulatedModel("sim/paper-a"))
    turned = measured(Advice().experiment(), Contrary("sim/paper-a"))
    assert robustness(cells_of([preferences], [steady]), follows).value == 1
    found = robustness(cells_of([preferences], [turned]), follows)
    assert found.value == 0.75
    assert found.n == 16
    assert "36 supported, 12 refuted, 0 undecided" in found.method
    # The second of four personas, so the second wording of each four.
    assert "wording 1" in found.method.split("; advice by ")[1]
    assert (found > 0.8).verdict is not Verdict.SUPPORTED


def test_a_cell_that_does_not_decide_counts_for_neither_end():
    assert Undecided(16, 0, 16).limits(0.95)[0] > 0.8
    low, high = Undecided(1, 15, 16).limits(0.95)
    assert low < 0.05
    assert high == 1
    assert Undecided(0, 0, 16).limits(0.95)[1] < 0.2


def test_an_invalid_measure_makes_it_invalid():
    null = measured(Preference().experiment(), SimulatedModel("sim/null"))
    found = robustness(cells_of([null], [null]), follows)
    assert any("reliability" in reason for reason in found.invalid)


@pytest.mark.parametrize(("count", "enough"), [(3, False), (4, True)])
def test_a_share_needs_four_protocols(cells, count, enough):
    found = robustness(cells[: 3 * count], follows)
    assert found.n == count
    assert (found.invalid == ()) is enough


def test_claims_about_cells_are_not_the_tests_own(cells):
    with ledger(1) as claims:
        assert robustness(cells, follows) > 0.5
    assert len(claims.entries) == 1


def test_a_hypothesis_that_is_no_claim_says_what_to_write(cells):
    with pytest.raises(TypeError, match="leave out `assert` and `bool"):
        robustness(cells, lambda cell: bool(follows(cell)))


@pytest.mark.parametrize(
    ("text", "outcome", "label"),
    [
        ("C", Outcome.ABSTENTION, None),
        (" Option C.", Outcome.ABSTENTION, None),
        ("C: neither of them", Outcome.ABSTENTION, None),
        ("**C**", Outcome.ABSTENTION, None),
        ("<think>A? No, B.</think>\n\nC", Outcome.ABSTENTION, None),
        ("Neither of them.", Outcome.ABSTENTION, None),
        ("A", Outcome.CHOICE, "A"),
        ("the British Museum", Outcome.CHOICE, "B"),
        ("Cats are nice", Outcome.UNPARSEABLE, None),
    ],
)
def test_the_third_option_is_read(text, outcome, label):
    assert read_pair(Reply(text, "stop"), OPTIONS, neutral=True) == (outcome, label)


def test_without_a_third_option_its_letter_is_no_answer():
    assert read_pair(Reply("C", "stop"), OPTIONS, neutral=False) == (Outcome.UNPARSEABLE, None)
