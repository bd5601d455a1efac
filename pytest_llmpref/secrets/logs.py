"""Keeps secrets out of what a process logs."""

import logging
from typing import Any

from pytest_llmpref.secrets.environment import environment_secrets
from pytest_llmpref.secrets.scrubbing import Secrets

_logged: Secrets | None = None


def scrub_log_records() -> None:
    """Take secrets out of whatever this process logs from now on: HTTP clients log addresses, headers and errors.

    pytest shows what was logged beside a failure, or while tests run, and writes it to files and to JUnit's XML. To be
    called again when the environment may have got more of them.
    """
    global _logged  # noqa: PLW0603 - the log of a process is one thing
    if _logged is not None:
        _logged.learn(environment_secrets())
        return
    make = logging.getLogRecordFactory()
    secrets = _logged = Secrets(environment_secrets(), named=True)

    def scrubbed(*arguments: Any, **named: Any) -> logging.LogRecord:  # noqa: ANN401 - whatever logging passes
        record = make(*arguments, **named)
        try:
            said = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # The logger of a wrong format hears of it from logging itself, which shows what it passed.
            record.args = secrets.scrub_values(record.args)
            return record
        if record.exc_info:
            # A formatter shows this text instead of making one of its own.
            record.exc_text = secrets.scrub(logging.Formatter().formatException(record.exc_info))
        if record.stack_info:
            record.stack_info = secrets.scrub(record.stack_info)
        if (clean := secrets.scrub(said)) != said:
            record.msg, record.args = clean, None
        return record

    logging.setLogRecordFactory(scrubbed)
