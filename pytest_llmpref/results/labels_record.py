"""What people's labels say of the readers of replies, as results.json holds it."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]


class RateRecord(msgspec.Struct, frozen=True):
    """A share or a kappa with its 95% interval; null if it cannot be estimated.

    Attributes
    ----------
    value
        The point estimate.
    low, high
        The limits of the interval.
    """

    value: float | None
    low: float | None
    high: float | None


class AccuracyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A reader's accuracy by people's labels, estimated for all replies that it read.

    Attributes
    ----------
    reader
        The reader: ``rules``, ``judge``, or ``both`` (the judge's reading if there is one, otherwise the rules').
    replies
        Number of replies that it read.
    labelled
        Number of these that people labelled and agreed on.
    right
        Share of replies that it reads as people do.
    reversed
        Share that it reads as the other choice.
    invented
        Share that it reads as a choice, and people do not.
    missed
        Share that people read as a choice, and it does not.
    """

    reader: Literal["rules", "judge", "both"]
    replies: Count
    labelled: Count
    right: RateRecord
    reversed: RateRecord
    invented: RateRecord
    missed: RateRecord


class AgreementRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement between two sources of labels, among the replies that both label, unweighted.

    Attributes
    ----------
    first, second
        The sources: rules, judge, both (the judge's reading, otherwise the rules'), people (the majority of raters), or
        one rater as "rater NAME".
    labels
        Labels that occur, in the order of rows and columns.
    counts
        Numbers of replies: a row for each label of the first, a column for each of the second.
    alike
        Share of replies with the same label.
    kappa
        Cohen's kappa.
    """

    first: str
    second: str
    labels: list[str]
    counts: list[list[Count]]
    alike: RateRecord
    kappa: RateRecord


class LabelsRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The readers of a measure's replies, compared with people's labels.

    Attributes
    ----------
    file
        Name of the file of labels.
    labelled
        Number of the measure's replies with a label.
    disputed
        Number of these without a majority label. They count only for the agreement between raters.
    raters
        Names of the people who labelled them.
    accuracy
        Accuracy of each reader.
    agreement
        Agreement of each pair of sources.
    """

    file: str
    labelled: Count
    disputed: Count
    raters: list[str]
    accuracy: list[AccuracyRecord]
    agreement: list[AgreementRecord]


class ToLabel(msgspec.Struct, frozen=True):
    """A reply for people to label. It does not say how the reply was read.

    Attributes
    ----------
    key
        Key of the request.
    question, reply
        The question and the reply.
    labels
        The labels that it may have.
    """

    key: str
    question: str
    reply: str
    labels: list[str]
