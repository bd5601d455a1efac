"""What a secret looks like, where the user keeps some, and how to take them out of a text.

A rule names a way in which a secret is known: its shape (`shapes`), the user's environment (`environment`), what a
request authenticated with (`credentials`), or a telling name beside it. Another says how it may be written
(`writings`). Each of the first is looked for in each of the second.
"""

from pytest_llmpref.secrets.scrubbing import SCRUBBED, FoundSecret, Secrets, find_secrets, scrub_log_records
from pytest_llmpref.secrets.shapes import (
    address_credentials,
    body_credentials,
    declare_secret,
    environment_secrets,
    header_credentials,
)

__all__ = [
    "SCRUBBED",
    "FoundSecret",
    "Secrets",
    "address_credentials",
    "body_credentials",
    "declare_secret",
    "environment_secrets",
    "find_secrets",
    "header_credentials",
    "scrub_log_records",
]
