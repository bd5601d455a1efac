"""The one base error; every message names the file or option, the field, and the fix."""

from pytest_llmpref.characters import on_lines


class LLMPrefError(Exception):
    """Base of all errors that pytest-llmpref raises on bad input or a failed study.

    Messages quote files and providers. Quoted text is escaped here, so that every message is safe to display.
    """

    def __str__(self) -> str:
        return on_lines(super().__str__())


def first_line(error: object) -> str:
    r"""Return the first line of an error's text, which says by itself what is wrong.

    Parameters
    ----------
    error
        The error, or its text.

    Returns
    -------
    str
        Its first line, without the colon that leads to the next.

    Examples
    --------
    >>> first_line("gpt-x: 3 trials are not recorded:\n  preference: 3 of 3")
    'gpt-x: 3 trials are not recorded'
    """
    return next(iter(str(error).splitlines()), "").removesuffix(":")


class MissingError(LLMPrefError):
    """Something that a test needs is not there yet, and nothing is wrong; the message says how to get it."""


class ExtensionError(LLMPrefError):
    """What another package adds cannot be used; the message names the hook, the name and the fix."""
