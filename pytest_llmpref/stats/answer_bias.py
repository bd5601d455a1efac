"""Answers that have nothing to do with the question: always yes, always no, or a guess."""

from dataclasses import replace

from pytest_llmpref.claims.estimates import Estimate
from pytest_llmpref.stats.answers import Answers, share

ONE_SIDED = 0.95
"""Share of one answer from which a model counts as giving that answer to everything. Our choice."""


def yes_share(answers: Answers) -> Estimate:
    """Estimate the share of yes among the answers; Wilson's interval, each question counted once."""
    return share(answers.question, answers.said_yes, "share of yes")


def signal(answers: Answers) -> Estimate:
    """Estimate how often yes is said where it is right, less how often where it is wrong (Youden's J, 1950).

    Reading gives up to 1; guessing, and any answer given regardless of the question, 0, however many questions have
    yes for an answer. Newcombe's (1998) interval, each question counted once.
    """
    right, wrong = (share(answers.question[side], answers.said_yes[side], "share of yes") for side in answers.sides)
    return replace(right - wrong, label="yes where it is right less where it is wrong")


def no_signal_reasons(answers: Answers) -> tuple[str, ...]:
    """Say why the answers carry no signal; empty where they do.

    Answers of one kind, and answers that do not depend on which answer is right, measure no reading at all: their
    accuracy is that of the questions' make-up, whatever the entity.
    """
    if not len(answers):
        return ("no trial ended in yes or no",)
    if not all(side.any() for side in answers.sides):
        only = "yes" if answers.truth.any() else "no"
        return (f"every question has the answer {only}: reading cannot be told from always saying {only}",)
    reasons = []
    said = yes_share(answers).value
    if not 1 - ONE_SIDED < said < ONE_SIDED:
        word, part = ("yes", said) if said > 0.5 else ("no", 1 - said)
        reasons.append(f"answers are one-sided: {part:.0%} are {word}")
    read = signal(answers)
    if not read.interval().low > 0:
        right, base = float(answers.correct.mean()), float(answers.truth.mean())
        reasons.append(
            f"answers do not depend on the question (Youden's J {read.value:.2f}, 95% {read.interval()}): "
            f"{right:.0%} are right, and always saying yes would make {base:.0%} right"
        )
    return tuple(reasons)
