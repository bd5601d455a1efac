"""Certificates: what a study will ask and claim, written down before it is recorded, and what came of it.

A certificate is canonical JSON: the same study gives the same bytes, on every system and with every number of workers.
So it holds no time, no duration and no absolute path, and replies are identified by their keys, not by their order.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pytest_llmpref.claims.gates import function_of
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.experiments.trials import Trial
from pytest_llmpref.files import open_given
from pytest_llmpref.results.measure_record import written
from pytest_llmpref.results.schema import ClaimRecord
from pytest_llmpref.study.coverage import needs_of
from pytest_llmpref.study.studies import Studies
from pytest_llmpref.study.study import Study

FORMAT = 1
"""Version of the format."""
SHORT = 12
"""Hex digits that name one question, reply or text; the digest of all of them has 64."""
BEFORE = "recorded"
"""Part of a plan's certificate: how many answers were recorded when it was made."""
NAMED = 3
"""How many changes of one kind are named; the others are counted."""


class CertificateError(LLMPrefError):
    """A certificate cannot be made or read; the message says why, and what to do."""


def digest(content: object) -> str:
    """Return the SHA-256 of a JSON value, in canonical form.

    Examples
    --------
    >>> digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def encoded(certificate: Mapping[str, Any]) -> bytes:
    """Return a certificate as it is written: keys in order, one to a line, ASCII."""
    return (json.dumps(certificate, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def load(path: Path) -> dict[str, Any]:
    """Read a certificate.

    Raises
    ------
    CertificateError
        If there is none, or it is of another version.
    """
    try:
        with open_given(path) as file:
            found = json.load(file)
    except OSError as error:
        raise CertificateError(f"{path}: {error.strerror or error}; name what llmpref certify wrote") from None
    except (ValueError, RecursionError):
        raise CertificateError(f"{path}: no certificate; name what llmpref certify wrote") from None
    if not isinstance(found, dict) or found.get("certificate") != FORMAT:
        version = found.get("certificate") if isinstance(found, dict) else None
        raise CertificateError(f"{path}: certificate {version!r}, and this version reads {FORMAT}; certify anew")
    return found


def described(studies: Studies) -> dict[str, Any]:
    """Return what all models of a run are asked with: entities, yes/no questions and profile.

    Parameters
    ----------
    studies
        Of the run.
    """
    return {
        "entities": {one.id: digest([one.name, one.group, one.lean])[:SHORT] for one in studies.entities()},
        "yes_no_questions": {
            "name": studies.item_set.name,
            "sha256": digest([repr(item) for item in studies.item_set.items]),
        },
        "profile": asdict(studies.profile),
    }


def planned(study: Study, measures: Sequence[str]) -> dict[str, Any]:
    """Return the questions of a model's measures; of those that answers choose, how many there are at most.

    Parameters
    ----------
    study
        Of the model.
    measures
        Their names.
    """
    study.only_plan(measures)
    return {name: _questions(study, name) for name in sorted(measures)}


def _questions(study: Study, name: str) -> dict[str, Any]:
    if needs_of(name, study.conditions):
        return {"chosen_by": "another measure", "count": study.planned(name)}
    keys = [request.key for request in study.plans[name].requests]
    found = {"questions": [key[:SHORT] for key in keys], "sha256": digest(keys), "count": study.planned(name)}
    return found | ({"chosen_by": "answers"} if study.at_most(name) else {})


def answers_recorded(study: Study, measures: Sequence[str]) -> dict[str, int]:
    """Return how many answers are there when a plan is certified, and how many there will be at most.

    Only the first attempt at each question counts. A simulated model in this process has no recording.

    Parameters
    ----------
    study
        Of the model.
    measures
        Their names.
    """
    study.only_plan(measures)
    most = sum(map(study.planned, measures))
    if not study.source.is_asked:  # imported
        return {"answers": most, "of": most}
    found = 0
    for plan in map(study.plans.__getitem__, measures):
        cassette = study.judging if plan.of_judge and study.judging is not None else study.cassette
        found += sum(cassette.interaction(request.key) is not None for request in plan.requests)
    return {"answers": found, "of": most}


def recorded(study: Study) -> dict[str, Any]:
    """Return the replies that a model's measures rest on: every attempt's, by its key.

    Parameters
    ----------
    study
        Of the model, whose measures are computed.
    """
    return {name: _replies([*one.trials, *one.controls]) for name, one in sorted(study.measures.items())}


def _replies(trials: Sequence[Trial]) -> dict[str, Any]:
    # A score is that of the last attempt.
    whole = {
        attempt.key: digest([attempt.outcome.value, attempt.text, trial.score if last == number else None])
        for trial in trials
        for last in [len(trial.attempts)]
        for number, attempt in enumerate(trial.attempts, start=1)
    }
    return {"replies": {key[:SHORT]: found[:SHORT] for key, found in whole.items()}, "sha256": digest(whole)}


def claimed(claim: ClaimRecord) -> dict[str, Any]:
    """Return a claim and its verdict.

    Parameters
    ----------
    claim
        As results.json holds it.
    """
    one = claim.estimate
    return {
        "claim": f"{claim.relation} {claim.threshold!r}",
        "verdict": claim.verdict.value,
        "estimate": [None if value is None else written(value) for value in (one.value, one.low, one.high)],
        "level": one.level,
        "family": claim.family,
    }


def changes(certified: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say what is not as a certificate says, a line for each kind of thing that changed, and causes before effects.

    What a user decides comes first, then what is asked, then the recordings, and last the claims about these. The
    claims of one test function, such as those for each entity, share a line.

    Parameters
    ----------
    certified, now
        The certificate, and one of the same study today. Another version of this tool alone is no change.
    """
    found: dict[tuple[str, ...], list[str]] = {}
    # How much was recorded before says when a plan was certified, and not what it is.
    certified, now = ({name: part for name, part in one.items() if name != BEFORE} for one in (certified, now))
    for place, name, text in _differences(certified, now, ()):
        if place or name != "version":
            found.setdefault(place, []).append(f"{name}: {text}" if text else name)
    together: dict[tuple[str, ...], dict[tuple[str, ...], list[str]]] = {}
    for place, texts in sorted(found.items(), key=lambda one: _rank(one[0])):
        kind = (*place[:-1], function_of(place[-1])) if place[2:3] == ("claims",) else place
        together.setdefault(kind, {})[place] = texts
    return [_of_one_kind(kind, members) for kind, members in together.items()]


def changes_of_plan(certified: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say what of the asking and the claims is not as a certificate says, whatever was found.

    Parameters
    ----------
    certified
        The certificate, of a plan or of results.
    now
        One of the same study's plan today.
    """
    return changes(
        *({name: value for name, value in one.items() if name in now and name != "kind"} for one in (certified, now))
    )


_EFFECTS = ("models", "files", "found")
"""Parts of a certificate that follow from others, in the order of cause and effect."""
_FOUND = ("recordings", "claims")
"""What was found, in the same order; the state of the gate comes last."""


def _rank(place: tuple[str, ...]) -> tuple[int, int]:
    top = place[0] if place else ""
    # Of a model's state there is only a name, and so no place below the model's.
    of_found = _FOUND.index(place[2]) if top == "found" and len(place) > 2 else len(_FOUND)
    return _EFFECTS.index(top) + 1 if top in _EFFECTS else 0, of_found


def _of_one_kind(kind: tuple[str, ...], members: Mapping[tuple[str, ...], list[str]]) -> str:
    """Say what changed of one thing, or of the tests of one function."""
    (place, texts), *others = members.items()
    if not others:
        return _said(" > ".join(place), texts)
    alike = all(other == texts for _, other in others)
    such_as = "" if alike else f", such as {place[-1].removeprefix(kind[-1])}"
    return _said(f"{' > '.join(kind)} ({len(members):,} tests{such_as})", texts)


def _said(place: str, texts: list[str]) -> str:
    more = f"; and {len(texts) - NAMED:,} more" if len(texts) > NAMED else ""
    return f"{place}{': ' if place else ''}{'; '.join(texts[:NAMED])}{more}"


def _differences(old: object, new: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield where two values differ: the place, the name there, and how."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            # A digest over many adds nothing to what is said of each.
            if key != "sha256" or not {"questions", "replies"} & old.keys():
                yield from _differences(old.get(key, _NONE), new.get(key, _NONE), (*path, str(key)))
    elif isinstance(old, list) and isinstance(new, list) and path[-1] == "questions":
        for number, (one, other) in enumerate(zip_longest(old, new, fillvalue=_NONE), start=1):
            yield from _differences(one, other, (*path, f"question {number}"))
    elif old != new:
        yield path[:-1], path[-1], _moved(old, new)


def _moved(old: object, new: object) -> str:
    if old is _NONE:
        return "new"
    if new is _NONE:
        return "gone"
    if isinstance(old, str) and len(old) >= SHORT and set(old) <= set("0123456789abcdef"):
        return "changed"
    return f"was {_shown(old)}, now {_shown(new)}"


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_NONE = object()
"""Stands for what is not there; null is a value."""
