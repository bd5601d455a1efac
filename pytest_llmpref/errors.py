"""The one base error; every message names the file or option, the field, and the fix."""

from pytest_llmpref.characters import on_lines


class LLMPrefError(Exception):
    """Base of all errors that pytest-llmpref raises on bad input or a failed study.

    Messages quote files and providers. Quoted text is escaped here, so that every message is safe to display.
    """

    def __str__(self) -> str:
        return on_lines(super().__str__())


class MissingError(LLMPrefError):
    """Something that a test needs is not there yet, and nothing is wrong; the message says how to get it."""


class ExtensionError(LLMPrefError):
    """What another package adds cannot be used; the message names the hook, the name and the fix."""
