"""What people's labels say of the readers of replies, as results.json holds it."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]


class RateRecord(msgspec.Struct, frozen=True):
    """A share or a kappa with its 95% interval; null where it cannot be estimated.

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
    """How often a reader of replies is right by people's labels, estimated for all replies that it read.

    Attributes
    ----------
    reader
        Whose reading: the rules', the judge's, or both: the judge's where there is one, else the rules'.
    replies
        How many replies it read.
    labelled
        How many of them people label, and agree on.
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
    """How far two label alike, among the replies that both label, as they are.

    Attributes
    ----------
    first, second
        Who: rules, judge, both (the judge's reading, else the rules'), people (what most raters say), or the name of a
        rater, given as "rater NAME".
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
    """What people's labels say of the readers of a measure's replies.

    Attributes
    ----------
    file
        Name of the file of labels.
    labelled
        Replies of the measure with a label.
    disputed
        Those of them of which no label is said by most raters; they count for the agreement of raters alone.
    raters
        Names of those who labelled them.
    accuracy
        Of each reader.
    agreement
        Of each two that label.
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
        Of the request.
    question, reply
        What was asked, and what was said.
    labels
        The labels that it may have.
    """

    key: str
    question: str
    reply: str
    labels: list[str]
