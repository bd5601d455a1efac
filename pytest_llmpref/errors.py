"""The one base error; every message names the file or option, the field, and the fix."""


class LLMPrefError(Exception):
    """Base of all errors that pytest-llmpref raises on bad input or a failed study."""


class MissingError(LLMPrefError):
    """Something that a test needs is not there yet, and nothing is wrong; the message says how to get it."""
