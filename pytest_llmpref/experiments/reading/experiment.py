"""BoolQ: yes/no questions about passages, whose right answers help an entity (arXiv 2602.18971, its third question).

Every question is asked under every entity, and under two controls that name none. The framing of the questions, their
number and the wordings are our choice.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from pytest_llmpref.experiments.asking import first_attempt
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.measure import Measure
from pytest_llmpref.experiments.participants import alternating
from pytest_llmpref.experiments.reading.trials import Framed, ReadingTrial, read_trial
from pytest_llmpref.experiments.trials import Replies, Trial, trials_as
from pytest_llmpref.files import data_folder
from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.models.prefill import led_messages
from pytest_llmpref.parsing.logprobs import JUNK, TOP_LOGPROBS, label_probabilities, use_logprobs
from pytest_llmpref.parsing.outcome import Outcome
from pytest_llmpref.parsing.yes_no import LABELS, read_yes_no

if TYPE_CHECKING:
    from pytest_llmpref.stats.change import Changes

ENTITY = "entity"
"""The framing that names an entity; all others are controls."""


@dataclass(frozen=True, slots=True)
class BoolQExperiment:
    """Every question under every entity and every control.

    Attributes
    ----------
    forms
        Framing -> its wordings, forms with slots for ``passage``, ``question`` and ``entity``.
    lead
        The first words of an answer.
    form
        What a framing is put into, where an entity set brings its own.
    """

    trial: ClassVar[type[Trial]] = ReadingTrial
    forms: Mapping[str, Sequence[str]]
    lead: str
    measure: str = "boolq"
    form: str = "{framing}"

    def plan(self, conditions: Conditions) -> Plan[Framed]:
        """Return one trial for each question and framing, question by question.

        What all framings of a question share stands first in its prompt: a server that keeps the common beginning of
        prompts then computes it once.
        """
        plan = self.posed(conditions, self._asked(conditions))
        if conditions.profile.stopping == "fixed" or not conditions.thresholds.get(self.measure):
            return plan
        from pytest_llmpref.experiments.reading.stopping import ReadingStopping  # noqa: PLC0415 - a plan needs no numpy

        return replace(plan, rounds=ReadingStopping(conditions, plan).rounds())

    def posed(self, conditions: Conditions, asked: Sequence[Framed]) -> Plan[Framed]:
        """Return one trial for each of some questions.

        Parameters
        ----------
        conditions
            Of the study.
        asked
            The questions, in the order in which they are asked.
        """
        by_text = conditions.answers == "text" or conditions.prefill in {"schema", "off"}
        names, forms = conditions.names, self._worded(conditions)

        def request(framed: Framed) -> Request:
            prompt = forms[framed.framing][framed.wording].format(
                passage=framed.item.passage, question=framed.item.question, entity=names.get(framed.entity or "", "")
            )
            asked = Request(
                model=conditions.model,
                messages=led_messages(prompt, self.lead, conditions.prefill),
                temperature=conditions.profile.temperature,
                max_tokens=conditions.profile.max_tokens,
                top_logprobs=0 if by_text else TOP_LOGPROBS,
                answers=LABELS if conditions.prefill == "schema" else (),
            )
            return first_attempt(asked, 0)

        def is_valid(_: Framed, reply: Reply) -> bool:
            outcome = read_yes_no(reply)[0]
            readable = not by_text and outcome in JUNK and label_probabilities(reply, LABELS) is not None
            return outcome is Outcome.CHOICE or readable

        def read(_: Framed, reply: Reply) -> tuple[Outcome, str | None]:
            outcome, says_yes = read_yes_no(reply)
            return outcome, None if says_yes is None else LABELS[not says_yes]

        return Plan(asked, [request(framed) for framed in asked], is_valid, conditions.profile.attempts, read, LABELS)

    def analyse(self, conditions: Conditions, plan: Plan[Framed], replies: Sequence[Replies]) -> Measure:
        """Estimate the accuracy under each entity and control."""
        from pytest_llmpref.experiments.reading.measure import boolq_measure  # noqa: PLC0415 - a plan needs no numpy

        asked, answered = plan.asked(replies)
        by_logprobs = use_logprobs(conditions.answers, answered, LABELS)
        trials = [
            read_trial(framed, request, attempts, by_logprobs=by_logprobs)
            for framed, request, attempts in zip(asked.questions, asked.requests, answered, strict=True)
        ]
        of_entities = [trial for trial in trials if trial.framing == ENTITY]
        controls = [trial for trial in trials if trial.framing != ENTITY]
        measure = boolq_measure(self.measure, conditions, of_entities, controls, answered)
        return plan.measured(measure, replies)

    def changes(self, new: Sequence[Trial], old: Sequence[Trial], ids: Sequence[str]) -> "Changes":
        """Return the changes of accuracy, paired by question."""
        from pytest_llmpref.experiments.reading.measure import changed_accuracies  # noqa: PLC0415 - imports numpy

        return changed_accuracies(trials_as(ReadingTrial, new), trials_as(ReadingTrial, old), ids)

    def _worded(self, conditions: Conditions) -> Mapping[str, Sequence[str]]:
        """Return the forms, with the framings that the entity set brings."""
        given = conditions.entities.wordings.get(self.measure, {}).get(ENTITY, ())
        return {**self.forms, ENTITY: [self.form.replace("{framing}", text) for text in given] or self.forms[ENTITY]}

    def _asked(self, conditions: Conditions) -> list[Framed]:
        profile, items = conditions.profile, {item.id: item for item in conditions.items.items}
        answers = {id_: item.answer for id_, item in items.items()}
        wordings = min(profile.paraphrases or len(self.forms[ENTITY]), len(self.forms[ENTITY]))
        framed = []
        for place, id_ in enumerate(alternating(answers, profile.boolq_questions, conditions.seed)):
            # By twos: questions whose answer is yes, and those where it is no, take turns, and both meet all wordings.
            wording = place // 2 % wordings
            framed += [Framed(items[id_], wording, framing, None) for framing in self.forms if framing != ENTITY]
            framed += [Framed(items[id_], wording, ENTITY, entity) for entity in conditions.groups]
        return framed


def boolq() -> BoolQExperiment:
    """Return the experiment behind the measure ``boolq``."""
    path = data_folder("fixtures") / "prompts" / "boolq.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    form = table["form"].lstrip("\n")
    forms = {
        framing: [form.replace("{framing}", text) for text in texts] for framing, texts in table["framings"].items()
    }
    return BoolQExperiment(forms, table["lead"], form=form)
