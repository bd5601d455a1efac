"""Questions that show two entities: which pairs, in which order, labels and wording; and from replies to trials."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from pytest_llmpref.config.profiles import NEWEST_DESIGN
from pytest_llmpref.experiments.asking import first_attempt
from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.pairs.designs import design_of
from pytest_llmpref.experiments.trials import Prompts, Replies, Trial
from pytest_llmpref.models.chat import Reply, Request
from pytest_llmpref.models.prefill import Prefill, led_messages
from pytest_llmpref.parsing.logprobs import (
    JUNK,
    TOP_LOGPROBS,
    Answers,
    label_probabilities,
    settle_by_logprobs,
    use_logprobs,
)
from pytest_llmpref.parsing.outcome import Attempt, Outcome
from pytest_llmpref.parsing.replies import read_choice, refusal_reason
from pytest_llmpref.parsing.thinking import without_thinking

LABELS = ("A", "B")
Pair = frozenset[str]
"""Two entity ids, whichever is shown first."""


@dataclass(frozen=True, slots=True)
class Form:
    """Another form of a question about a pair.

    Attributes
    ----------
    name
        Its name in the file of the prompts.
    neutral
        Whether a third option, C, favours neither.
    by_name
        Whether the answer is a name, and not a letter.
    labelled
        Whether the options carry labels.
    """

    name: str
    neutral: bool
    by_name: bool
    labelled: bool = True


class PairTrial(Trial, frozen=True, gc=False):
    """A question about an ordered pair, and its attempts. The score is the probability that the first was chosen.

    Attributes
    ----------
    first_is_a
        Whether the first option carried label A; ``None`` if that is not known, as of imported trials.
    form
        Name of the question's form; ``None`` for the usual one.
    """

    columns: ClassVar[Mapping[str, str]] = {"first_is_a": "first_is_a", "framing": "form"}
    scores: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    first_is_a: bool | None = True
    form: str | None = None

    @property
    def asked(self) -> tuple[object, ...]:
        """What was asked, apart from the model."""
        return self.entities, self.wording, self.repetition, self.first_is_a, self.form


@dataclass(frozen=True, slots=True)
class PairQuestion:
    """One question about an ordered pair.

    Attributes
    ----------
    first, second
        Entity ids in the order in which they are shown.
    first_is_a
        Whether the option shown first carries the label A (else B): labels are crossed with position. ``None`` where
        that is not known, as of imported questions.
    wording
        Index of the wording, below the number of wordings of the experiment's prompts.
    repetition
        Index of the sample, from 0.
    step
        Of the design: each pairs every entity with two others, and a smaller study makes the first of them.
    form
        Its form; ``None`` for the usual one.
    """

    first: str
    second: str
    first_is_a: bool | None
    wording: int
    repetition: int
    step: int = 0
    form: Form | None = None

    @property
    def pair(self) -> Pair:
        """The two entities, in no order."""
        return frozenset({self.first, self.second})

    @property
    def neutral(self) -> bool:
        """Whether a third option favours neither."""
        return self.form is not None and self.form.neutral

    @property
    def labelled(self) -> bool:
        """Whether the options carry labels."""
        return self.form is None or self.form.labelled

    @property
    def labels(self) -> tuple[str, str]:
        """The labels of the first and the second option; A and B where they are not known."""
        return LABELS[::-1] if self.first_is_a is False else LABELS

    def options(self, names: Mapping[str, str]) -> dict[str, str]:
        """Return label -> name shown, in the order shown (for "the former"); ``names`` maps ids to them."""
        first, second = self.labels
        return {first: names[self.first], second: names[self.second]}


def pair_questions(
    ids: Sequence[str],
    *,
    partners: int | None,
    orders: int,
    repetitions: int,
    wordings: int,
    seed: int,
    design: int = NEWEST_DESIGN,
    purpose: str = "",
) -> Iterator[PairQuestion]:
    """Plan the questions of a pairwise experiment.

    Both orders of a pair share wording and labels, which leaves position as their only difference.

    Parameters
    ----------
    ids
        Entity ids, n of them.
    partners
        With how many others each is compared; ``None`` for all. See `designs.design_of`.
    orders
        2 asks each pair in both orders, 1 in one that is drawn for the pair.
    repetitions, wordings
        Samples of each question; number of wordings to rotate over.
    seed
        The questions depend on nothing but the design, the ids, the purpose and this seed.
    design
        Version of the design.
    purpose
        What is asked, in a word: from version 2 on, experiments of different purposes are independent.
    """
    planned = design_of(design, ids, partners=partners, wordings=wordings, seed=seed, purpose=purpose)
    for one, other, first_is_a, wording, step in planned:
        for first, second in ((one, other), (other, one))[:orders]:
            for repetition in range(repetitions):
                yield PairQuestion(first, second, first_is_a, wording, repetition, step)


_C = re.compile(r"[\W_]*(?:option\s+)?c(?:\W*$|[\s.:)*]+neither\b)", re.IGNORECASE)
"""A reply that takes the third option, where there is one, by its letter."""


_LETTER = re.compile(r"[\W_]*(?:option\s+)?[ab][\W_]*", re.IGNORECASE)
"""A reply that is a label, and nothing more."""


def designed(conditions: Conditions, prompts: Prompts, partners: int | None, purpose: str) -> list[PairQuestion]:
    """Return the questions about each entity and so many others, in the order of the design.

    Parameters
    ----------
    conditions, prompts
        Of the study, and the wordings.
    partners, purpose
        As in `pair_questions`.
    """
    profile = conditions.profile
    return [
        *pair_questions(
            list(conditions.groups),
            partners=partners,
            orders=profile.orders,
            repetitions=profile.repetitions,
            wordings=min(profile.paraphrases or prompts.wordings, prompts.wordings),
            seed=conditions.seed,
            design=profile.design,
            purpose=purpose,
        )
    ]


def in_order_of_asking(questions: Iterable[PairQuestion]) -> list[PairQuestion]:
    """Sort questions by wording: a server that keeps the common beginning of prompts then computes it once."""
    return sorted(questions, key=lambda question: question.wording)


def questions_asked(conditions: Conditions, prompts: Prompts, purpose: str) -> list[PairQuestion]:
    """Return the questions of the fixed design, in the order in which they are asked.

    Parameters
    ----------
    conditions, prompts
        Of the study, and the wordings.
    purpose
        As in `pair_questions`.
    """
    return in_order_of_asking(designed(conditions, prompts, conditions.profile.partners, purpose))


def plan_pairs(
    conditions: Conditions,
    prompts: Prompts,
    questions: Sequence[PairQuestion],
    names: Mapping[str, str],
    *,
    prefill: Prefill,
    max_tokens: int,
    form: Form | None = None,
) -> Plan[PairQuestion]:
    """Return one trial a question.

    An answer is valid if it is a choice, or if the log-probabilities of the labels can be read, where these may be the
    answers; or, where a third option favours neither, if it is that.

    Parameters
    ----------
    conditions, prompts
        Of the study, and the wordings.
    questions
        What is asked, in this order.
    names
        Id in a question -> name shown.
    prefill
        The prefill of the answer.
    max_tokens
        Maximum number of tokens of a reply.
    form
        In which form all are asked, if not in the usual one; other forms are always answered by text.
    """
    by_text = conditions.answers == "text" or prefill in {"schema", "off"} or form is not None
    prompts = prompts.worded(conditions.entities.wordings)

    def request(question: PairQuestion) -> Request:
        asked = Request(
            model=conditions.model,
            messages=led_messages(_prompt(question, prompts, names), prompts.lead, prefill),
            temperature=conditions.profile.temperature,
            max_tokens=max_tokens,
            # After a JSON brace, or at the start of a sentence, the first token is no label.
            top_logprobs=0 if by_text else TOP_LOGPROBS,
            answers=_schema(form) if prefill == "schema" else (),
        )
        return first_attempt(asked, question.repetition)

    def read(question: PairQuestion, reply: Reply) -> tuple[Outcome, str | None]:
        return read_pair(reply, question.options(names), neutral=question.neutral, labelled=question.labelled)

    def is_valid(question: PairQuestion, reply: Reply) -> bool:
        outcome, _ = read(question, reply)
        if outcome is Outcome.CHOICE or (question.neutral and outcome is Outcome.ABSTENTION):
            return True
        return not by_text and outcome in JUNK and label_probabilities(reply) is not None

    formed = questions if form is None else [in_form(question, form) for question in questions]
    # A judge knows two options, and no third.
    options = None if form is not None and form.neutral else lambda question: question.options(names)
    requests = [request(question) for question in questions]
    return Plan(formed, requests, is_valid, conditions.profile.attempts, read, LABELS, options)


def _prompt(question: PairQuestion, prompts: Prompts, names: Mapping[str, str]) -> str:
    first_label, second_label = question.labels
    first, second = names[question.first], names[question.second]
    return prompts.render(
        question.wording, first_label=first_label, second_label=second_label, first=first, second=second
    )


def in_form(question: PairQuestion, form: Form) -> PairQuestion:
    """Return a question in another form; one without labels has no label first."""
    return replace(question, form=form, first_is_a=question.first_is_a if form.labelled else None)


def read_pair(
    reply: Reply, options: Mapping[str, str], *, neutral: bool, labelled: bool = True
) -> tuple[Outcome, str | None]:
    """Read a reply as `read_choice` does.

    Parameters
    ----------
    reply, options
        As there.
    neutral
        Whether a third option, C, favours neither.
    labelled
        Whether the options carried labels; else a letter alone names none of them.
    """
    if not labelled and _LETTER.fullmatch(without_thinking(reply.text)):
        return Outcome.UNPARSEABLE, None
    said = reply.finish not in {"error", "content_filter"} and not reply.refusal
    if neutral and said and _C.match(without_thinking(reply.text)):
        return Outcome.ABSTENTION, None
    return read_choice(reply, options)


def _schema(form: Form | None) -> tuple[str, ...]:
    """Return what a JSON schema lets through: labels, and a name not at all."""
    if form is not None and form.by_name:
        return ()
    return (*LABELS, "C") if form is not None and form.neutral else LABELS


def read_pairs(
    plan: Plan[PairQuestion], replies: Sequence[Replies], names: Mapping[str, str], answers: Answers
) -> list[PairTrial]:
    """Read the replies to every trial of a plan, in its order; ``names`` maps the ids in it to the names shown.

    Parameters
    ----------
    plan, replies
        The trials, and the replies to each.
    names
        Id in a question -> name shown.
    answers
        By what questions are answered; see `Conditions`.
    """
    by_logprobs = use_logprobs(answers, replies, LABELS)
    return [
        _trial(question, _keys(plan, number, attempts), attempts, names, by_logprobs=by_logprobs)
        for number, (question, attempts) in enumerate(zip(plan.questions, replies, strict=True))
    ]


def _keys(plan: Plan[PairQuestion], number: int, replies: Replies) -> list[str]:
    return [plan.attempt(number, replies[:place]).key for place in range(len(replies))]


def _trial(
    question: PairQuestion, keys: Sequence[str], replies: Replies, names: Mapping[str, str], *, by_logprobs: bool
) -> PairTrial:
    options = question.options(names)
    attempts, label = list[Attempt](), None
    for key, reply in zip(keys, replies, strict=True):
        outcome, label = read_pair(reply, options, neutral=question.neutral, labelled=question.labelled)
        reason = refusal_reason(reply) if outcome is Outcome.REFUSAL else None
        attempts.append(Attempt(key, outcome, reply.text or reply.refusal or "", reason))
    answered_by = score = None
    if by_logprobs and (probabilities := settle_by_logprobs(attempts, replies, LABELS)):
        answered_by, score = "logprobs", probabilities[LABELS.index(question.labels[0])]
    elif attempts[-1].outcome is Outcome.CHOICE:
        answered_by, score = "text", float(label == question.labels[0])
    return PairTrial(
        attempts=tuple(attempts),
        entities=(question.first, question.second),
        answered_by=answered_by,
        score=score,
        first_is_a=question.first_is_a,
        wording=question.wording,
        repetition=question.repetition,
        form=question.form.name if question.form is not None else None,
    )
