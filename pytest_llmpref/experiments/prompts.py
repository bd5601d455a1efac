"""The wordings of an experiment, read from ``fixtures/prompts/NAME.toml``."""

import math
import string
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.resources import data_folder


class PromptError(LLMPrefError):
    """A prompt of a user's experiment that cannot be used; the message names the experiment and the fix."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """A form with slots, some of which the file fills from lists: every combination is one wording.

    ``lead`` holds the first words of an answer.
    """

    form: str
    lead: str
    choices: dict[str, list[str]]

    @property
    def wordings(self) -> int:
        """Number of wordings: the product of the lengths of the lists."""
        return math.prod(len(texts) for texts in self.choices.values())

    def render(self, wording: int, **values: object) -> str:
        """Fill the form; ``wording`` is below ``wordings``. Values are inserted as they are, never expanded again."""
        filled = dict(values)
        for slot, texts in self.choices.items():
            wording, index = divmod(wording, len(texts))
            filled[slot] = texts[index]
        return self.form.format(**filled)


def check_slots(measure: str, form: str, slots: Collection[str]) -> None:
    """Make sure that a form of a user's has these slots and no other.

    Raises
    ------
    PromptError
        If it has not.
    """
    try:
        found = {name for _, name, _, _ in string.Formatter().parse(form) if name is not None}
    except ValueError as error:
        raise PromptError(f"{measure}: {form!r} is no form: {error}; write {{{{ and }}}} for braces") from None
    for wrong, what in ((set(slots) - found, "lacks"), (found - set(slots), "has the unknown slot")):
        if wrong:
            raise PromptError(
                f"{measure}: {form!r} {what} {{{min(wrong)}}}; a form has exactly: {', '.join(sorted(slots))}"
            )


@cache
def load_prompts(name: str, form: str | None = None) -> Prompts:
    """Read the prompts of an experiment; ``form`` names another form of its questions, if it has that."""
    path = data_folder("fixtures") / "prompts" / f"{name}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    forms = table.pop("forms", {})
    table |= forms[form] if form else {}
    return Prompts(form=table.pop("form").lstrip("\n"), lead=table.pop("lead"), choices=table)
