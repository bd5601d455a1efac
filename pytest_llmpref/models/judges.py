"""Which model judges another's replies: the one that the user names, or a cheap one of the same provider."""

import tomllib
from datetime import date
from functools import cache

import msgspec

from pytest_llmpref.config.options import AUTO, SettingError, Settings
from pytest_llmpref.config.setups import setup_of
from pytest_llmpref.files import data_folder
from pytest_llmpref.models.parameters import provider_of


class Judge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cheap model of one provider: a row of ``fixtures/judges.toml``.

    Attributes
    ----------
    judge, flagship
        The model, and the provider's flagship, by litellm's names.
    price, flagship_price
        US dollars for a million tokens of prompts, and of replies.
    checked, source
        When the prices were looked up, and where.
    """

    judge: str
    price: tuple[float, float]
    flagship: str
    flagship_price: tuple[float, float]
    checked: date
    source: str


@cache
def cheap_judges() -> dict[str, Judge]:
    """Return the cheap model of each provider in the table, by litellm's name of the provider."""
    text = (data_folder("fixtures") / "judges.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Judge])


def judge_of(model: str, settings: Settings) -> str:
    """Return the name of the model that judges another's replies; empty where rules alone read them.

    Parameters
    ----------
    model
        Name of the model that is measured.
    settings
        With the judge: a name, ``auto``, or none.

    Raises
    ------
    SettingError
        If the judge is to be found, and the table has none for the provider.
    """
    if settings.judge != AUTO:
        return settings.judge
    setup = setup_of(model, settings)
    table = cheap_judges()
    # At an address of the user's own, the first word of a name says which protocol is spoken, and not who answers.
    found = None if setup.api_base else table.get(provider_of(setup.model or model))
    if found is None:
        raise SettingError(
            f"--llmpref-judge auto: no judge is known for {model}{' at your own address' if setup.api_base else ''}; "
            f"name one by --llmpref-judge NAME. Providers with one: {', '.join(table)}"
        )
    return found.judge
