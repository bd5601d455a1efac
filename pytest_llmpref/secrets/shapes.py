"""Which strings are secrets: by shape, by where a request carries them, by where the environment keeps them."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from pytest_llmpref.secrets.writings import from_base64

# What providers' keys look like: what each is, how it begins, and its pattern. The rest is long enough that prose does
# not match. Keys without a shape of their own (Cohere, Mistral, AI21, Azure's old ones) are known by the variable,
# the header or the parameter that holds them.
SHAPES = (
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
    ("key in a URL", "api_key=", r"(?<=[?&]api_key=)[A-Za-z0-9._~%+*-]{16,}"),
    ("key in a URL", "api-key=", r"(?<=[?&]api-key=)[A-Za-z0-9._~%+*-]{16,}"),
    ("token in a URL", "access_token=", r"(?<=[?&]access_token=)[A-Za-z0-9._~%+*-]{16,}"),
    ("signature in a URL", "sig=", r"(?<=[?&]sig=)[A-Za-z0-9._~%+*-]{16,}"),
    ("signature in a URL", "Signature=", r"(?<=-Signature=)[A-Za-z0-9._~%+*-]{16,}"),
    ("signature of a header", "Signature=", r"(?<=Signature=)[0-9a-f]{64}\b"),
    ("password in a URL", "", r"(?<=://)[^\s/@\"'<>:]{1,200}:[^\s/@\"'<>]{1,200}(?=@)"),
)  # fmt: skip

BEGINNINGS = tuple({beginning: None for _, beginning, _ in SHAPES if beginning})
"""What a text must hold, as it stands or percent-encoded, before any shape can be in it."""

# Only where no model speaks, such as in a log or a provider's error. Agents work with made-up passwords and tokens, and
# what they say and do must stay as it is.
_TELLING = (
    r"(?:api|access|private|secret|subscription|signing|account|auth)[_-]?key|bot[_-]?token|client[_-]?token|"
    r"(?:access|auth|api|refresh|session|security|bearer)[_-]?token|secret|passw(?:or)?d|passphrase|pwd|auth|"
    r"authorization|credentials?|cookie"
)
NAMED_ANCHORS = ("key", "token", "secret", "passw", "passphrase", "pwd", "auth", "credential", "cookie", "://")
"""In lower case, what a text must hold before a secret can be named in it."""
NAMED = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        # user:password@ is a shape of its own; this is a key in the user's place.
        r"://(?P<value>[^\s/@\"'<>:?#]{8,200}):?@",
        # NAME: VALUE and NAME=VALUE, with quotes or without, as Python and HTTP clients write headers and fields.
        rf"(?:{_TELLING})[\"']?\s*(?:[:=]|(?<=[\"']),)\s*b?[\"']?"
        r"(?P<value>(?:[A-Za-z][\w.-]{0,30} ){0,2}[^\s\"'<>,;&]{8,})",
        r"cookie[\"']?\s*(?:[:=]|(?<=[\"']),)\s*b?[\"']?(?P<value>[^\r\n\"']{8,})",
        r"\bkey=[\"'](?P<value>[^\s\"'<>]{8,})",
        r"(?:^|[:=\"'] ?)(?:Token|ApiKey) (?P<value>(?:[\w.-]{1,30} )?[^\s\"'<>,;]{8,})",
    )
)
"""Patterns whose group ``value`` is a secret, if a word of it is `unlike_words`."""

SECRET_NAME = re.compile(
    r"key|token|secret|passw|passphrase|pwd|signature|credential|auth(?!or(?!iz))|^sig$|^code$", re.IGNORECASE
)
"""Names of variables, headers and parameters whose values are secrets."""
_FIELDS = (
    *((first, "key") for first in ("api", "access", "private", "secret", "auth")),
    *((first, "token") for first in ("api", "access", "auth", "refresh")),
    *((name,) for name in ("secret", "password", "passwd", "passphrase", "pwd", "authorization", "credential")),
    ("credentials",),
)
SECRET_FIELDS = tuple(
    {
        between.join((begin(words[0]), *map(go_on, words[1:]))): None
        for words in _FIELDS
        for between in ("_", "-", "")
        for begin, go_on in (
            (str.lower, str.lower),
            (str.lower, str.title),
            (str.title, str.title),
            (str.upper, str.title),
            (str.upper, str.upper),
        )
    }
)
"""How fields of a JSON body end whose values are secrets. Not ``signature``: models sign what they think."""

_PIECES = re.compile(r"[^A-Za-z0-9]+")
_WORD = re.compile(r"[A-Za-z]{0,20}\d{0,4}[A-Za-z]{0,2}|\d*")


def unlike_words(value: str, least: int = 8) -> bool:
    """Tell whether a value of at least so many characters is no word, name, date or number, nor made of such."""
    return len(value) >= least and not all(_WORD.fullmatch(piece) for piece in _PIECES.split(value))


def variants(beginning: str) -> set[str]:
    """Return a fixed string as it stands in a text, in a URL, in a form, and in JSON that escapes ``=``."""
    encoded = {quote(beginning, safe=""), quote_plus(beginning)}
    lower = {re.sub("%[0-9A-F]{2}", lambda found: found.group().lower(), one) for one in encoded}
    equals = ("\\" * depth + sign for depth in (1, 2, 4) for sign in ("u003d", "u003D"))
    escaped = {beginning.replace("=", sign) for sign in equals}
    return {beginning} | encoded | lower | escaped


_COOKIES = ("cookie", "set-cookie")
_PAIRS = re.compile(r"([\w-]+)=\"?([^\",;\s]+)")
_CONVERSATION = frozenset(
    {"messages", "contents", "content", "parts", "choices", "candidates", "input", "output", "args", "arguments"}
)
"""Fields that hold what is said and done: there a password is part of the story."""
_IN_PATH = re.compile(r"(?:api[_-]?)?keys?|(?:\w+[_-])?tokens?|auth|secrets?|credentials?", re.IGNORECASE)


def header_credentials(headers: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield what the headers of a request, or of a response, authenticate with: each whole, and its parts."""
    for name, values in headers.items():
        if _tells(name):
            for value in values:
                yield from _in_header(name.lower(), value)


# The same few headers come with every call.


@lru_cache(maxsize=1024)
def _tells(name: str) -> bool:
    return SECRET_NAME.search(name) is not None or name.lower() in _COOKIES


@lru_cache(maxsize=64)
def _in_header(name: str, value: str) -> tuple[str, ...]:
    if name == "cookie":
        return tuple(_of_cookies(value.split(";")))
    if name == "set-cookie":
        # What follows says how long, and where, the cookie holds.
        return tuple(_of_cookies([value.partition(";")[0]]))
    return tuple(authorization_credentials(value.strip())) if value.strip() else ()


def authorization_credentials(value: str) -> Iterator[str]:
    """Yield a credential, and what of it may come back alone."""
    scheme, _, rest = value.partition(" ")
    rest = rest.strip() or scheme
    yield rest
    if scheme.lower() == "basic":
        user, _, password = from_base64(rest).partition(":")
        yield f"{user}:{password}"
        yield from _user_and_password(user, password)
        return
    # Of "ApiKey NAME KEY" the last.
    yield rest.split()[-1]
    pairs = _PAIRS.findall(rest)
    for name, part in pairs:
        if SECRET_NAME.search(name) or unlike_words(part, 16):
            # Of AWS' "Credential=KEY/DATE/REGION/..." the first.
            yield from (part, part.split("/")[0])
    if not pairs and rest.count(":") == 1:
        yield from _user_and_password(*rest.split(":"))


def address_credentials(uri: str) -> Iterator[str]:
    """Yield the credentials in an address."""
    try:
        url = urlsplit(uri)
    except ValueError:
        return
    for part in (url.query, url.fragment):
        yield from (value for name, value in parse_qsl(part) if SECRET_NAME.search(name))
    yield from _user_and_password(unquote(url.username or ""), unquote(url.password or ""))
    steps = url.path.split("/")
    for name, value in pairwise(steps):
        if _IN_PATH.fullmatch(name) and unlike_words(unquote(value)):
            yield unquote(value)


def body_credentials(body: str) -> Iterator[str]:
    """Yield the values of a JSON body's fields that are named like a secret, what models say and do apart."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return
    yield from _in_fields(found)


def text_credentials(text: str) -> Iterator[str]:
    """Yield the user and password of each address in a text."""
    for found in re.finditer(r"://([^\s/@\"'<>:?#]*):?([^\s/@\"'<>?#]*)@", text):
        yield from _user_and_password(*map(unquote, found.groups()))


def _in_fields(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON is recursive
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in _CONVERSATION:
                continue
            if isinstance(inner, str) and name.endswith(SECRET_FIELDS):
                if unlike_words(inner.rpartition(" ")[2]):
                    yield from authorization_credentials(inner)
            else:
                yield from _in_fields(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _in_fields(inner)


def _of_cookies(cookies: Sequence[str]) -> Iterator[str]:
    for cookie in cookies:
        # One without a name is all value (RFC 6265bis).
        name, separator, rest = cookie.partition("=")
        value = (rest if separator else name).strip(' "')
        if unlike_words(unquote(value)):
            yield value


def _user_and_password(user: str, password: str) -> Iterator[str]:
    """Yield the password, and the user where that is the key."""
    yield password
    if not password or unlike_words(user, 16):
        yield user


_BETWEEN = re.compile(r"[,;|\r\n]+")
_FOLDERS = frozenset({"PWD", "OLDPWD"})
_SCHEME = re.compile(r"(?:basic|bearer|token|apikey|key) ", re.IGNORECASE)
_PATH = re.compile(r"(?:~|\.{0,2}|[A-Za-z]:)[/\\]")


def environment_secrets(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the secrets in the values of variables; of ``os.environ`` unless given.

    They are the values of variables that are named like a secret, each key where a value holds several, the fields of
    JSON that are named like one, and users and passwords in addresses, whatever the variable's name.

    Only a run that asks a model calls this: a replay never reads the user's keys.
    """
    variables = os.environ if environment is None else environment
    found = (secret for name, value in variables.items() for secret in _secrets(name, value))
    return list(dict.fromkeys(secret for secret in found if secret))


_DECLARED = set[str]()


def declare_secret(variable: str) -> None:
    """Let the value of a variable count as a secret, whatever the variable is called."""
    _DECLARED.add(variable)


def _secrets(name: str, value: str) -> Iterator[str]:
    yield from text_credentials(value)
    telling = name in _DECLARED or (SECRET_NAME.search(name) is not None and name not in _FOLDERS)
    if value.lstrip().startswith(("{", "[")):
        try:
            yield from _in_json(json.loads(value), telling=telling)
        except (ValueError, RecursionError):
            pass
        else:
            return
    if not telling or _is_path(value):
        return
    yield value
    yield from (part for whole in _BETWEEN.split(value) for part in _parts(whole.strip().strip("\"'")))


def _parts(value: str) -> Iterator[str]:
    """Yield one of several values, and what it holds beside a name or a scheme."""
    yield value
    if _SCHEME.match(value):
        yield from authorization_credentials(value)
    words = re.split(r"[\s=]+|:(?!//)", value)
    if len(words) > 1:
        yield from (word for word in words if unlike_words(word))


def _in_json(value: Any, *, telling: bool) -> Iterator[str]:  # noqa: ANN401 - JSON is recursive
    if isinstance(value, str):
        if telling:
            yield from (value, *(line for line in value.splitlines() if unlike_words(line)))
    elif isinstance(value, dict):
        for name, inner in value.items():
            # In a variable that is named like a secret, whatever is no word is one; elsewhere its name tells.
            named = SECRET_NAME.search(name) is not None
            yield from _in_json(inner, telling=named or (telling and isinstance(inner, str) and unlike_words(inner)))
    elif isinstance(value, list):
        for inner in value:
            yield from _in_json(inner, telling=telling)


def _is_path(value: str) -> bool:
    """Tell whether a value is where a secret is, and none itself."""
    return _PATH.match(value) is not None and not unlike_words(value)
