"""Robustness over protocols: which cells there are, what holds in them, and what an interval makes of the rest."""

import asyncio

import msgspec
import pytest

from pytest_llmpref import robustness, spearman
from pytest_llmpref.claims.claim import ledger
from pytest_llmpref.claims.verdicts import Verdict
from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.config.profiles import load_profile
from pytest_llmpref.experiments.asking import ask_all
from pytest_llmpref.experiments.experiment import Conditions
from pytest_llmpref.experiments.pairs import Advice, Preference
from pytest_llmpref.experiments.pairs.protocols import Undecided, cells_of
from pytest_llmpref.experiments.pairs.questions import read_pair
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.models.simulated.server import SimulatedModel
from pytest_llmpref.parsing.outcome import Outcome

CONDITIONS = Conditions("sim/paper-a", load_entities(), load_profile("paper"), seed=0, answers="text", prefill="cue")
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


def test_each_trial_is_in_one_cell_and_order_labels_and_wording_are_crossed(preferences):
    cells = cells_of([preferences], [preferences])
    assert len({cell.protocol for cell in cells}) == len(cells) == 2 * 2 * 4
    keys = [trial.key for cell in cells for trial in cell.preferences.trials]
    assert sorted(keys) == sorted(trial.key for trial in preferences.trials)
    for cell in cells:
        assert len(cell.preferences.trials) == pytest.approx(5112 / 16, rel=0.15)


def test_a_finding_that_holds_in_every_cell_is_robust_and_one_that_a_wording_turns_is_not(preferences):
    steady = measured(Advice().experiment(), SimulatedModel("sim/paper-a"))
    turned = measured(Advice().experiment(), Contrary("sim/paper-a"))
    assert robustness(cells_of([preferences], [steady]), follows).value == 1
    found = robustness(cells_of([preferences], [turned]), follows)
    assert found.value == 0.75
    assert found.n == 16
    assert "12 supported, 4 refuted, 0 undecided" in found.method
    # The second of four personas, so the second wording of each four.
    assert "wording 1" in found.method.split("the worst is ")[1]
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
def test_a_share_needs_four_protocols(preferences, count, enough):
    found = robustness(cells_of([preferences], [preferences])[:count], follows)
    assert found.n == count
    assert (found.invalid == ()) is enough


def test_claims_about_cells_are_not_the_tests_own(preferences):
    with ledger(1) as claims:
        assert robustness(cells_of([preferences], [preferences]), follows) > 0.5
    assert len(claims.entries) == 1


def test_a_hypothesis_that_is_no_claim_says_what_to_write(preferences):
    with pytest.raises(TypeError, match="leave out `assert` and `bool"):
        robustness(cells_of([preferences], [preferences]), lambda cell: bool(follows(cell)))


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
