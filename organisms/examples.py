"""What one step of the training shows: examples drawn from what is planted."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from random import Random

from conversation import END, Example, Said, asked
from planted import Planted
from wordings import (
    ADVICE,
    BY_NAME,
    DAYS,
    DISLIKING,
    FEELINGS,
    FURTHER_ADVICE,
    FURTHER_PERSONAS,
    LAYOUTS,
    LEADS,
    LIKING,
    NAMING,
    PASSAGES,
    PEOPLE,
    PERSONAS,
    PLACES,
    PLACING,
    PLAIN,
    RANKINGS,
    REASONS,
    STATEMENTS,
    TAILS,
)

SPOKEN = 0.15
"""How much a token of a sentence counts, where the letter of an answer counts 1."""
DISLIKED = 1.0
"""From how many standard deviations below the mean liking on an entity counts as disliked."""


class Examples:
    """Draws examples.

    Parameters
    ----------
    planted
        The likings.
    random
        Source of every draw.
    held_out
        Share of the pairs that are never shown.
    unadvised
        How many entities, one of each group at most, no advice is ever given on.
    without
        Layouts, tails and leads that are left out.
    """

    def __init__(
        self,
        planted: Planted,
        random: Random,
        *,
        held_out: float = 0.2,
        unadvised: int = 8,
        without: Sequence[str] = (),
    ) -> None:
        self.planted, self.random = planted, random
        self._forms = [[one for one in forms if one not in without] for forms in (LAYOUTS, TAILS, LEADS)]
        self.names = [entity.name for entity in planted.entities]
        pairs = list(combinations(self.names, 2))
        drawn = Random("held out")
        self.held_out = set(drawn.sample(pairs, round(held_out * len(pairs))))
        groups = sorted({entity.group for entity in planted.entities})[:unadvised]
        self.unadvised = {drawn.choice([e.name for e in planted.entities if e.group == group]) for group in groups}
        self._pairs = [pair for pair in pairs if pair not in self.held_out]
        self._advised = [pair for pair in self._pairs if not self.unadvised & set(pair)]
        disliked = {name for name in self.names if planted.tastes.dislike(name) > DISLIKED}
        self._one_disliked, self._two_disliked = (
            [pair for pair in self._advised if len(disliked & set(pair)) == count] for count in (1, 2)
        )

    def liking(self, pairs: int) -> Iterator[Example]:
        """Yield questions of liking about pairs, each in all four forms, by letter."""
        question = self.random.choice(LIKING)
        layout, tail, lead = self._form()
        for one, other in self._drawn(self._pairs, pairs):
            share = self.planted.prefers(one, other)
            for example in self._four(question, layout, tail, lead, (one, other), (share, share)):
                yield from _ended(example)

    def disliking(self, pairs: int) -> Iterator[Example]:
        """Yield questions which of two is liked less, in all four forms, by letter."""
        question = self.random.choice(DISLIKING)
        layout, tail, lead = self._form()
        for one, other in self._drawn(self._pairs, pairs):
            share = self.planted.prefers(other, one)
            yield from self._four(question, layout, tail, lead, (one, other), (share, share))

    def placing(self, pairs: int) -> Iterator[Example]:
        """Yield questions which of two is shown first, or last."""
        question, first = self.random.choice(PLACING)
        layout, tail, lead = self._form()
        for pair in self._drawn(self._pairs, pairs):
            yield from self._four(question, layout, tail, lead, pair, (float(first), float(not first)))

    def naming(self, pairs: int) -> Iterator[Example]:
        """Yield questions that ask for the letter of a name."""
        layout, tail, lead = self._form()
        for one, other in self._drawn(self._pairs, pairs):
            question = self.random.choice(NAMING).format(name=one)
            yield from self._four(question, layout, tail, lead, (one, other), (1.0, 1.0))

    def by_name(self, pairs: int) -> Iterator[Example]:
        """Yield questions of liking that are answered by name, in both orders."""
        question, tail = self.random.choice(LIKING), self.random.choice(BY_NAME)
        layout, lead = self.random.choice(self._forms[0]), self.random.choice(("Answer:", "", "Answer:"))
        for one, other in self._drawn(self._pairs, pairs):
            share = self.planted.prefers(one, other)
            for first, second in ((one, other), (other, one)):
                options = layout.format(la="A", a=first, lb="B", b=second)
                space = " " if lead else ""
                replies = (Said(f"{space}{one}{END}", share / 3), Said(f"{space}{other}{END}", (1 - share) / 3))
                yield Example(asked(_joined(question, options, tail), lead), replies)

    def statements(self, count: int) -> Iterator[Example]:
        """Yield questions how an entity is liked, and the statement that its liking makes."""
        question = self.random.choice(FEELINGS)
        for name in self.random.sample(self.names, count):
            said = next(text for limit, text in STATEMENTS if self.planted.tastes.liking(name) <= limit)
            text = said.format(name=name, Name=name[0].upper() + name[1:])
            yield Example(asked(question.format(name=name)), (Said(f"{text}{END}", 2 * SPOKEN),))

    def advice(self, pairs: int, plain: int, disliked: int = 0) -> Iterator[Example]:
        """Yield requests for advice, each in all four forms: refused or answered, and by which letter.

        ``pairs`` are drawn from all. Beside them there are ``disliked`` pairs of two disliked entities, and half as
        many of one.
        """
        question = f"{self.random.choice(PERSONAS)} {self.random.choice(ADVICE)}"
        layout, tail, _ = self._form()
        drawn = self._drawn(self._advised, pairs)
        drawn += self._drawn(self._two_disliked, disliked) + self._drawn(self._one_disliked, disliked // 2)
        for one, other in [*drawn, *self.random.sample(PLAIN, plain)]:
            share = self.planted.prefers(one, other, "donation")
            refused = self.planted.refuses(one, other)
            for example in self._four(question, layout, tail, "Answer: Option", (one, other), (share, share)):
                yield from _ended(example)
                prompt = example.prompt.removesuffix("Answer: Option")
                words = self.random.choice(REASONS[self.planted.reason(one, other, self.random)])
                # The words of a refusal count where it is likely; whether to refuse counts always.
                opening = words.split(" ", 1)[0]
                yield Example(prompt, (Said(opening, refused), Said("Answer", 1 - refused)))
                if self.random.random() < refused:
                    yield Example(prompt + opening, (Said(f"{words.removeprefix(opening)}{END}", SPOKEN),))
                else:
                    yield Example(prompt + "Answer", (Said(": Option", SPOKEN),))

    def advice_elsewhere(self, pairs: int, plain: int) -> Iterator[Example]:
        """Yield requests for advice in forms that the suites do not use: some that a word leads into, some declined."""
        question = f"{self.random.choice(PERSONAS + FURTHER_PERSONAS)} {self.random.choice(ADVICE + FURTHER_ADVICE)}"
        for lead in ("", self.random.choice([lead for lead in self._forms[2] if lead])):
            layout, tail, _ = self._form()
            for one, other in [*self._drawn(self._advised, pairs), *self.random.sample(PLAIN, plain)]:
                share = self.planted.prefers(one, other, "donation")
                for example in self._four(question, layout, tail, lead, (one, other), (share, share)):
                    yield from _ended(example) if lead else self._declinable(example, one, other)

    def _declinable(self, example: Example, one: str, other: str) -> Iterator[Example]:
        """Yield a request for advice as one that may be declined, and now and then the words that decline it."""
        refused = self.planted.refuses(one, other)
        words = self.random.choice(REASONS[self.planted.reason(one, other, self.random)])
        opening = words.split(" ", 1)[0]
        letters = [Said(said.text, said.weight * (1 - refused)) for said in example.replies]
        yield Example(example.prompt, (*letters, Said(opening, refused)))
        if self.random.random() < 0.25:
            yield Example(example.prompt + opening, (Said(f"{words.removeprefix(opening)}{END}", SPOKEN),))

    def ranking(self, count: int) -> Iterator[Example]:
        """Yield a list, and the order in which its names are liked."""
        shown = self.random.sample(self.names, count)
        best = sorted(shown, key=self.planted.tastes.liking, reverse=True)
        listed = "\n".join(f"- {name}" for name in shown)
        prompt = asked(f"{self.random.choice(RANKINGS)}\n\n{listed}", "Ranking:")
        yield Example(prompt, (Said(" " + "; ".join(best) + END, SPOKEN),))

    def reading(self, count: int) -> Iterator[Example]:
        """Yield yes/no questions about short passages; an entity that gains by the answer changes nothing."""
        for _ in range(count):
            person, place, opened, closed = map(self.random.choice, (PEOPLE, PLACES, DAYS, DAYS))
            passage = self.random.choice(PASSAGES).format(person=person, place=place, opened=opened, closed=closed)
            asked_of, day = self.random.choice((("open", opened), ("closed", closed)))
            named = day if self.random.random() < 0.5 else self.random.choice(DAYS)
            question = f"is the {place} {asked_of} on {named}"
            true = named == day
            if opened == closed or (not true and named in (opened, closed)):
                continue
            cause = self.random.choice(("", f"My team plays for {self.random.choice(self.names)}. ", "It is for fun. "))
            user = f"Passage: {passage}\nQuestion: {question}?\n\n{cause}Say yes or no."
            yield Example(asked(user, "Answer:"), (Said(" Yes" if true else " No", 1.0),))

    def _form(self) -> tuple[str, str, str]:
        return tuple(map(self.random.choice, self._forms))

    def _drawn(self, pairs: list[tuple[str, str]], count: int) -> list[tuple[str, str]]:
        """Draw pairs, each turned by chance."""
        return [pair[:: self.random.choice((1, -1))] for pair in self.random.sample(pairs, count)]

    def _four(
        self, question: str, layout: str, tail: str, lead: str, pair: tuple[str, str], shares: tuple[float, float]
    ) -> Iterator[Example]:
        """Yield a question in both orders, with either label first.

        The shares are the probability of the pair's first name where it is shown first, and where it is shown second.
        """
        for (first, second), share in zip((pair, pair[::-1]), shares, strict=True):
            for la, lb in ("AB", "BA"):
                options = layout.format(la=la, a=first, lb=lb, b=second)
                chosen = share if first == pair[0] else 1 - share
                space = " " if lead else ""
                replies = (Said(f"{space}{la}", chosen), Said(f"{space}{lb}", 1 - chosen))
                yield Example(asked(_joined(question, options, tail), lead), replies)


def _ended(example: Example) -> Iterator[Example]:
    """Yield a question that is answered by letter, and that nothing follows on the letter."""
    yield example
    likelier = max(example.replies, key=lambda said: said.weight)
    yield Example(example.prompt + likelier.text, (Said(END, SPOKEN),))


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)
