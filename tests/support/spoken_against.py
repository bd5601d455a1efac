"""Sentences that speak against an option, in fifteen languages; prints a table.

Usage: ``python tests/support/spoken_against.py``
"""

import itertools
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from repository import REPLIES

from pytest_llmpref.models.chat import Reply
from pytest_llmpref.parsing.replies import read_choice

FILE = REPLIES / "against/sentences.toml"
PAIRS = ({"A": "the British Museum", "B": "UNICEF"}, {"A": "Greenpeace", "B": "the Hoover Institution"})
FINISHES = ("stop", "length")


@dataclass(frozen=True, slots=True)
class Against:
    """A sentence, and the option that it speaks against."""

    language: str
    text: str
    options: dict[str, str]
    label: str

    def chooses_it(self, finish: str) -> bool:
        """Whether it is read as a choice of the option that it speaks against, where the reply ended so."""
        return read_choice(Reply(self.text, finish), self.options)[1] == self.label


def templates() -> dict[str, list[str]]:
    """Return the sentences of each language, with the slot ``{x}``."""
    table = tomllib.loads(FILE.read_text(encoding="utf-8"))
    english = table["english"]
    crossed = [
        frame.replace("{verb}", verb) for frame, verb in itertools.product(english["around_verbs"], english["verbs"])
    ]
    crossed += [
        frame.replace("{description}", description)
        for frame, description in itertools.product(english["around_descriptions"], english["descriptions"])
    ]
    return {"en": [*english["whole"], *crossed], **table["others"]}


def sentences() -> Iterator[Against]:
    """Yield every sentence about either option of each pair, by label and by name."""
    forms = tomllib.loads(FILE.read_text(encoding="utf-8"))["forms"]
    for language, texts in templates().items():
        for text, form, options, label in itertools.product(texts, forms[language], PAIRS, "AB"):
            said = text.format(x=form.format(label=label, name=options[label]))
            yield Against(language, said[0].upper() + said[1:], options, label)


if __name__ == "__main__":
    asked, wrong = Counter[str](), Counter[str]()
    for each in sentences():
        asked[each.language] += 1
        if any(map(each.chooses_it, FINISHES)):
            wrong[each.language] += 1
            print(each.language, each.label, repr(each.text))
    print(*(f"{language}: {wrong[language]} of {asked[language]}" for language in asked), sep="\n")
    print(f"{wrong.total()} of {asked.total()} are read as a choice of the option that they speak against")
