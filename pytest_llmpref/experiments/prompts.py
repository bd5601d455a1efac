"""The wordings of an experiment, read from ``fixtures/prompts/NAME.toml``."""

import math
import tomllib
from dataclasses import dataclass
from functools import cache

from pytest_llmpref.resources import data_folder


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


@cache
def load_prompts(name: str, form: str | None = None) -> Prompts:
    """Read the prompts of an experiment; ``form`` names another form of its questions, if it has that."""
    path = data_folder("fixtures") / "prompts" / f"{name}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    forms = table.pop("forms", {})
    table |= forms[form] if form else {}
    return Prompts(form=table.pop("form").lstrip("\n"), lead=table.pop("lead"), choices=table)
