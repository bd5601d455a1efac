"""What a secret looks like, and how to take it out of a text."""

import json
import logging
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pytest_llmpref.searching import search_for

SCRUBBED = "[scrubbed]"
"""What stands in a secret's place."""

_SHORTEST = 8
"""Shorter values ("none", "test") are no secrets, and replacing them would spoil ordinary words."""

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_SHOWN = 6
"""Characters of a found secret that a message may show: enough to know which key to revoke."""

# What providers' keys look like: what each is, how it begins, and its pattern. The rest is long enough that prose does
# not match. Keys without a shape of their own (Cohere, Mistral, AI21, Azure's old ones) are known by the variable,
# the header or the parameter that holds them.
_SHAPES = (
    # OpenAI (sk-proj-, sk-svcacct-), Anthropic, OpenRouter, DeepSeek, Moonshot, DashScope, Stability, a litellm proxy;
    # providers' messages repeat them with asterisks in the middle.
    ("OpenAI-like key", "sk-", r"\bsk-(?:(?=[A-Za-z_*-]*[0-9*])[A-Za-z0-9_*-]{16,}|[A-Za-z0-9_-]{32,})"),
    ("OpenAI session", "sess-", r"\bsess-[A-Za-z0-9]{30,}"),
    ("Google key", "AIza", r"\bAIza[A-Za-z0-9_*-]{30,}"),
    ("Google key", "AQ.", r"\bAQ\.[A-Za-z0-9_-]{30,}"),
    ("Google access token", "ya29.", r"\bya29\.[A-Za-z0-9._-]{20,}"),
    ("Google client secret", "GOCSPX-", r"\bGOCSPX-[A-Za-z0-9_-]{20,}"),
    ("private key", "PRIVATE KEY", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\w+/=\\\s]+(?:-----END [A-Z ]*KEY-----)?"),
    ("Groq key", "gsk_", r"\bgsk_[A-Za-z0-9]{16,}"),
    ("Hugging Face token", "hf_", r"\bhf_[A-Za-z0-9]{20,}"),
    ("Hugging Face token", "api_org_", r"\bapi_org_[A-Za-z0-9]{20,}"),
    ("xAI key", "xai-", r"\bxai-[A-Za-z0-9]{20,}"),
    ("Perplexity key", "pplx-", r"\bpplx-[A-Za-z0-9]{20,}"),
    ("Replicate token", "r8_", r"\br8_[A-Za-z0-9]{20,}"),
    ("Fireworks key", "fw_", r"\bfw_[A-Za-z0-9]{20,}"),
    ("Cerebras key", "csk-", r"\bcsk-[A-Za-z0-9]{20,}"),
    ("NVIDIA key", "nvapi-", r"\bnvapi-[A-Za-z0-9_-]{30,}"),
    ("Together key", "tgp_v1_", r"\btgp_v1_[A-Za-z0-9_-]{20,}"),
    ("Databricks token", "dapi", r"\bdapi[0-9a-f]{32}(?:-[0-9])?"),
    ("Anyscale key", "esecret_", r"\besecret_[A-Za-z0-9]{20,}"),
    ("Friendli token", "flp_", r"\bflp_[A-Za-z0-9]{20,}"),
    ("Voyage key", "pa-", r"\bpa-[A-Za-z0-9_-]{40,}"),
    ("Jina key", "jina_", r"\bjina_[A-Za-z0-9_-]{30,}"),
    ("Upstage key", "up_", r"\bup_[A-Za-z0-9]{24,}"),
    ("Featherless key", "rc_", r"\brc_[0-9a-f]{40,}"),
    ("Vercel gateway key", "vck_", r"\bvck_[A-Za-z0-9]{24,}"),
    ("Chutes key", "cpk_", r"\bcpk_[A-Za-z0-9.]{30,}"),
    ("ElevenLabs or Novita key", "sk_", r"\bsk_(?=[A-Za-z_]*[0-9])[A-Za-z0-9_]{20,}"),
    ("Azure key", "JQQJ", r"\b[A-Za-z0-9]{52}JQQJ9[A-Za-z0-9]{27}\b"),
    ("AWS key", "AKIA", r"\bAKIA[A-Z0-9]{16}\b"),
    ("AWS key", "ASIA", r"\bASIA[A-Z0-9]{16}\b"),
    ("Bedrock key", "ABSK", r"\bABSK[A-Za-z0-9+/=]{40,}"),
    ("Bedrock key", "bedrock-api-key-", r"\bbedrock-api-key-[A-Za-z0-9+/=_-]{20,}"),
    ("Alibaba key", "LTAI", r"\bLTAI[A-Za-z0-9]{16,}"),
    ("GitHub token", "ghp_", r"\bghp_[A-Za-z0-9]{30,}"),
    ("GitHub token", "gho_", r"\bgho_[A-Za-z0-9]{30,}"),
    ("GitHub token", "ghu_", r"\bghu_[A-Za-z0-9]{30,}"),
    ("GitHub token", "ghs_", r"\bghs_[A-Za-z0-9]{30,}"),
    ("GitHub token", "ghr_", r"\bghr_[A-Za-z0-9]{30,}"),
    ("GitHub token", "github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{30,}"),
    ("GitLab token", "glpat-", r"\bglpat-[A-Za-z0-9_.-]{20,}"),
    ("JSON web token", "eyJ", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    ("credentials of a header", "Bearer ", r"\bBearer +[A-Za-z0-9._~+/=*-]{16,}"),
    ("credentials of a header", "Basic ", r"\bBasic +(?=[A-Za-z+/]*[0-9=])[A-Za-z0-9+/]{16,}={0,2}"),
    ("key in a URL", "key=", r"(?<=[?&]key=)[A-Za-z0-9._~%+*-]{16,}"),
    ("key in a URL", "key=", r"(?<=u0026key=)[A-Za-z0-9._~%+*-]{16,}"),
    ("key in a URL", "api_key=", r"(?<=[?&]api_key=)[A-Za-z0-9._~%+*-]{16,}"),
    ("key in a URL", "api-key=", r"(?<=[?&]api-key=)[A-Za-z0-9._~%+*-]{16,}"),
    ("token in a URL", "access_token=", r"(?<=[?&]access_token=)[A-Za-z0-9._~%+*-]{16,}"),
    ("signature in a URL", "sig=", r"(?<=[?&]sig=)[A-Za-z0-9._~%+*-]{16,}"),
    ("signature in a URL", "Signature=", r"(?<=-Signature=)[A-Za-z0-9._~%+*-]{16,}"),
)  # fmt: skip
_BEGINNINGS = tuple({beginning: beginning.encode() for _, beginning, _ in _SHAPES}.values())
_USER_INFO = re.compile(rb"://[^\s/@\"'<>]{1,200}:[^\s/@\"'<>]{1,200}@")
_PASSWORD = r"(?<=://)[^\s/@\"'<>:]{1,200}:[^\s/@\"'<>]{1,200}(?=@)"  # noqa: S105 - a pattern


@dataclass(frozen=True, slots=True)
class FoundSecret:
    """Something in the shape of a secret.

    Attributes
    ----------
    kind
        What it looks like.
    start
        Where it begins in the text, in characters.
    shown
        What a message may show of it: its first characters, and its length.
    """

    kind: str
    start: int
    shown: str


def find_secrets(text: str) -> list[FoundSecret]:
    """Return what looks like a secret in a text, by its shape alone, in the order in which it stands there."""
    found = []
    for match in _every(()).finditer(text):
        secret = match.group()
        kinds = (kind for kind, _, shape in _SHAPES if re.compile(shape).match(text, match.start()))
        kind = next(kinds, "password in a URL")
        found.append(FoundSecret(kind, match.start(), f"{secret[:_SHOWN]}... ({len(secret)} characters)"))
    return found


def environment_secrets(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the values of variables that are named like a secret; of ``os.environ`` unless given.

    Only a run that asks a model calls this: a replay never reads the user's keys.
    """
    variables = os.environ if environment is None else environment
    return [value for name, value in variables.items() if _SECRET_NAME.search(name)]


class Secrets:
    """Replaces secrets by ``[scrubbed]``: known values in each form that they take, and whatever has a key's shape.

    Parameters
    ----------
    values
        The known ones; those of fewer than eight characters are left out.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._holds_any = search_for(_BEGINNINGS)
        self._pattern = _every(())
        self.learn(values)

    def learn(self, values: Iterable[str]) -> None:
        """Add known values."""
        new = {value for value in values if len(value) >= _SHORTEST} - self._values
        if not new:
            return
        self._values |= new
        forms = {form for value in self._values for form in _forms(value)}
        self._pattern = _every(forms)
        known = {json.dumps(form, ensure_ascii=False)[1:-1].encode() for form in forms}
        self._holds_any = search_for((*known, *_BEGINNINGS))

    def suspected(self, line: bytes) -> bool:
        """Tell whether JSON or plain text may hold a secret; never wrongly false.

        A regular expression of this many alternatives takes longer than all the rest of recording. Searching for all
        fixed strings at once takes microseconds, and settles nearly every interaction.
        """
        return self._holds_any(line) or _USER_INFO.search(line) is not None

    def scrub(self, text: str) -> str:
        """Replace each secret in a text."""
        return self._pattern.sub(SCRUBBED, text)

    def scrub_values(self, record: Any) -> Any:  # noqa: ANN401 - JSON is recursive
        """Replace each secret in the strings of a JSON-like record, names of fields apart."""
        if isinstance(record, str):
            return self.scrub(record)
        if isinstance(record, Mapping):
            return {name: self.scrub_values(value) for name, value in record.items()}
        if isinstance(record, list | tuple):
            return [self.scrub_values(value) for value in record]
        return record


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
    secrets = _logged = Secrets(environment_secrets())

    def scrubbed(*arguments: Any, **named: Any) -> logging.LogRecord:  # noqa: ANN401 - whatever logging passes
        record = make(*arguments, **named)
        try:
            said = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # The logger of a wrong format hears of it from logging itself.
            return record
        if record.exc_info:
            # A formatter shows this text instead of making one of its own.
            record.exc_text = secrets.scrub(logging.Formatter().formatException(record.exc_info))
        if secrets.suspected(said.encode("utf-8", "replace")):
            record.msg, record.args = secrets.scrub(said), None
        return record

    logging.setLogRecordFactory(scrubbed)


def _every(forms: Iterable[str]) -> re.Pattern[str]:
    # Longest first, so that no rest of a longer secret is left standing.
    literal = [re.escape(form) for form in sorted(forms, key=len, reverse=True)]
    return re.compile("|".join([*literal, _PASSWORD, *(pattern for _, _, pattern in _SHAPES)]))


def _forms(secret: str) -> set[str]:
    """Return a secret as it may stand in a text: plain, in a URL, and in JSON of either kind."""
    return {
        secret,
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }
