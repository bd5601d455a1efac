"""Which of two names is right, where the question is about the names alone: what a simulated model knows of them."""

import re
from collections.abc import Sequence

_ARTICLE = re.compile(r"^(?:the|an?) ", re.IGNORECASE)
_ABOUT = (
    ("longer", re.compile(r"\blonger\b|\bmore letters\b", re.IGNORECASE)),
    ("shorter", re.compile(r"\bshorter\b|\bfewer letters\b", re.IGNORECASE)),
    ("later", re.compile(r"\balphabet(?:ical)?\b.*\blast\b|\b(?:last|later) in the alphabet\b", re.IGNORECASE)),
    ("earlier", re.compile(r"\balphabet", re.IGNORECASE)),
    ("upper", re.compile(r"\bwritten first\b|\bupper line\b", re.IGNORECASE)),
    ("lower", re.compile(r"\bwritten last\b|\blower line\b", re.IGNORECASE)),
)


def asked_of_names(said: str) -> str:
    """Return what is asked of two names, such as ``longer``; empty where the question is about something else.

    Parameters
    ----------
    said
        The question, without the names.

    Examples
    --------
    >>> asked_of_names("In alphabetical order, which one comes last?"), asked_of_names("Which do you prefer?")
    ('later', '')
    """
    return next((about for about, pattern in _ABOUT if pattern.search(said)), "")


def right_name(about: str, names: Sequence[str]) -> str:
    """Return the right answer.

    Parameters
    ----------
    about
        What is asked, as `asked_of_names` has it.
    names
        The two names, in the order shown.

    Examples
    --------
    >>> right_name("shorter", ["the Mayo Clinic", "UNICEF"]), right_name("lower", ["UNICEF", "Oxfam"])
    ('UNICEF', 'Oxfam')
    """
    first, second = names
    if about in {"upper", "lower"}:
        return first if about == "upper" else second
    ahead = len(first) > len(second) if about in {"longer", "shorter"} else _initial(first) < _initial(second)
    return first if ahead == (about in {"longer", "earlier"}) else second


def _initial(name: str) -> str:
    return _ARTICLE.sub("", name.strip())[:1].casefold()
