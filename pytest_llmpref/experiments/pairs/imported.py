"""Imported choices as trials of a pair experiment, and what they cannot tell."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from pytest_llmpref.experiments.experiment import Conditions, Plan
from pytest_llmpref.experiments.imported import JUDGED, NOT_TESTABLE, ImportedRows, ImportedTrials
from pytest_llmpref.experiments.pairs.questions import LABELS, PairQuestion, read_pair
from pytest_llmpref.experiments.trials import Replies
from pytest_llmpref.imports.rows import Row, request_of
from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.outcome import Outcome

MOST_NAMED = 3
"""Entities that a reason names."""


def imported_pairs(conditions: Conditions, data: ImportedRows) -> ImportedTrials:
    """Return imported choices as a plan and its replies.

    What the data say came of a question stands where a judge's word would; a reply without that is read by rules.

    Parameters
    ----------
    conditions
        Of the study.
    data
        The choices.
    """
    names, labelled = conditions.names, all(row.label for row in data.rows)
    questions, replies = list[PairQuestion](), list[Replies]()
    for row in data.rows:
        question = _question(row, labelled=labelled)
        questions.append(question)
        replies.append((_reply(question, row, data),))

    def read(question: PairQuestion, reply: Reply) -> tuple[Outcome, str | None]:
        return read_pair(reply, question.options(names), neutral=False)

    requests = [
        request_of(conditions.model, row, _shown(question, names), data.wordings, names)
        for row, question in zip(data.rows, questions, strict=True)
    ]
    plan = Plan(
        questions,
        requests,
        lambda question, reply: read(question, reply)[0] is Outcome.CHOICE,
        1,
        read,
        LABELS,
        lambda question: question.options(names),
    )
    return ImportedTrials(
        plan, replies, untestable=() if labelled else _unlabelled(data), reasons=tuple(_of_one_order(data, names))
    )


def _question(row: Row, *, labelled: bool) -> PairQuestion:
    first, second = row.entities
    # Labels of a part of the trials tell nothing of the others.
    return PairQuestion(first, second, row.label == "A" if labelled else None, row.wording, row.repetition)


def _reply(question: PairQuestion, row: Row, data: ImportedRows) -> Reply:
    given = data.given(row)
    if not given:
        return row.reply()
    if given in {"first", "second"}:
        return row.reply(question.labels[0 if given == "first" else 1])
    if given == "error":
        return Reply(text=row.text, finish="error")
    return msgspec.structs.replace(
        row.reply(JUDGED[given]), finish="length" if given == "truncated" else row.finish
    )  # fmt: skip


def _shown(question: PairQuestion, names: Mapping[str, str]) -> str:
    """Return the options as they were shown, without labels that are not known."""
    options = question.options(names)
    if question.first_is_a is None:
        return "\n".join(f"- {name}" for name in options.values())
    return "\n".join(f"{label}: {name}" for label, name in options.items())


def _unlabelled(data: ImportedRows) -> tuple[str, ...]:
    known = sum(1 for row in data.rows if row.label)
    how_many = f"labels of {known:,} of {len(data.rows):,} trials" if known else "no labels"
    return (f"label bias {NOT_TESTABLE}: {how_many} are known",)


def _of_one_order(data: ImportedRows, names: Mapping[str, str]) -> Iterator[str]:
    """Say what one order of the options leaves open: preference and position cannot be told apart."""
    orders: dict[frozenset[str], set[tuple[str, ...]]] = defaultdict(set)
    shown_first, shown_second = Counter[str](), Counter[str]()
    for row in data.rows:
        orders[frozenset(row.entities)].add(row.entities)
        shown_first[row.entities[0]] += 1
        shown_second[row.entities[1]] += 1
    if orders and not any(len(both) > 1 for both in orders.values()):
        yield (
            f"position bias {NOT_TESTABLE}: each of {len(orders):,} pairs is shown in one order only, so what is "
            "chosen for its place cannot be told from what is preferred"
        )
        return
    if one_sided := sorted(shown_first.keys() ^ shown_second.keys()):
        said = ", ".join(names[entity] for entity in one_sided[:MOST_NAMED])
        more = f" and {len(one_sided) - MOST_NAMED} more" if len(one_sided) > MOST_NAMED else ""
        yield f"position bias {NOT_TESTABLE}: shown in one place only: {said}{more}; add the other, or leave these out"
