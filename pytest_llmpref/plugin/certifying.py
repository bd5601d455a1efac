"""Runs pytest for a certificate: what the collected tests will ask and claim, and with recordings what came of it."""

import hashlib
import inspect
import os
import tempfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_llmpref.claims.gates import function_of
from pytest_llmpref.config.options import OPTIONS
from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.plugin import collection, gating
from pytest_llmpref.plugin.kept_runs import CHOOSING, WRITTEN
from pytest_llmpref.plugin.stash import CALLED, OFF, POLICY, RUN
from pytest_llmpref.study import certificate
from pytest_llmpref.study.certificate import CertificateError

if TYPE_CHECKING:
    from pytest_llmpref.plugin.run import Run
    from pytest_llmpref.results.schema import Results
    from pytest_llmpref.study.study import Study

APART = frozenset({
    "model", "report_dir", "keep_runs", "baseline", "replay", "labels", "to_label", "to_label_count", "canary",
    "sandbox", "batch", "batch_least", "in_flight", "timeout", "max_tries", "max_wait", "max_outage", "shard", "plan",
    "rate", "max_cost", "max_tokens", "price", "api_base", "header",
})  # fmt: skip
"""Settings that decide nothing of what is asked or claimed, such as time limits and prices."""
SETTINGS = {name: option for option in OPTIONS if (name := option.ini.removeprefix("llmpref_")) not in APART}
"""Settings that a certificate holds where they are not the default."""


def certified(words: Sequence[str], *, plan: bool) -> dict[str, Any]:
    """Run pytest, and return the certificate.

    Parameters
    ----------
    words
        Its arguments. Nothing is asked: the run replays, or only plans.
    plan
        Whether only what will be asked and claimed is certified.

    Raises
    ------
    CertificateError
        If a part of the tests was chosen, no model was named, or the run did not come to verdicts.
    """
    certifier = Certifier(words, plan=plan)
    status = _run(certifier)
    if certifier.found is None or status not in _VERDICTS:
        raise CertificateError(f"pytest ended with status {status}, so nothing was certified; see above")
    return certifier.found


class Verified(NamedTuple):
    """What came of a certificate.

    Attributes
    ----------
    changed
        What is not as certified, a line for each kind of thing.
    version
        Of this tool, which compared.
    unreplayed
        Why there were no verdicts to compare; empty if there were.
    """

    changed: list[str]
    version: str
    unreplayed: str


def verified(known: Mapping[str, Any], words: Sequence[str]) -> Verified:
    """Plan or replay the study of a certificate, and compare.

    If its replay fails, what is asked and claimed is compared all the same: a change there is why.

    Parameters
    ----------
    known
        The certificate.
    words
        What `words_of` returns for it.

    Raises
    ------
    CertificateError
        If nothing can be compared; or if there are no verdicts, and nothing that was planned changed.
    """
    certifier = Certifier(words, plan=known.get("kind") == "plan", known=known)
    status = _run(certifier, "-q")
    now = certifier.found
    if now is not None and status in _VERDICTS:
        return Verified(certificate.changes(known, now), now["version"], "")
    if not certifier.planned:
        raise CertificateError(f"pytest ended with status {status}, so nothing was verified; see above")
    if not certifier.changed:
        raise CertificateError(
            f"what is asked and claimed is as certified, but pytest ended with status {status}, so the verdicts were "
            "not verified; see above"
        )
    why = f"the verdicts were not compared, since pytest ended with status {status}; see above"
    return Verified(certifier.changed, certifier.planned["version"], why)


_VERDICTS = {int(pytest.ExitCode.OK), int(pytest.ExitCode.TESTS_FAILED)}
"""How pytest ends if the tests came to verdicts."""


def _run(certifier: "Certifier", *quiet: str) -> int:
    """Run pytest for a certifier, and return its exit status."""
    more = ["--llmpref-record-mode=none", *quiet]
    # A certificate of many workers would be the same, and the ini file may ask for some.
    more += ["-n0"] if _has_xdist() else []
    more += ["--llmpref-plan"] if certifier.plan else []
    with tempfile.TemporaryDirectory() as reports:
        words = [*certifier.words, *more, f"--llmpref-report-dir={reports}"]
        return int(pytest.main(words, plugins=[certifier]))


def _has_xdist() -> bool:
    from importlib.util import find_spec  # noqa: PLC0415 - for this command alone

    return find_spec("xdist") is not None


class Certifier:
    """A plugin of one pytest run that makes its certificate.

    Parameters
    ----------
    words
        pytest's arguments, as the user gave them.
    plan
        Whether no test is run.
    known
        The certificate to compare with, if there is one.

    Attributes
    ----------
    found
        The certificate; ``None`` before the run came to it.
    planned
        What of it is known before the first test; empty if the run did not come so far.
    changed
        What of that is not as in the certificate to compare with.
    """

    def __init__(self, words: Sequence[str], *, plan: bool, known: Mapping[str, Any] | None = None) -> None:
        self.words, self.plan = tuple(words), plan
        self.found: dict[str, Any] | None = None
        self.planned: dict[str, Any] = {}
        self.changed: list[str] = []
        self._known = known
        self._studies: dict[str, Study] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config) -> None:
        """Note how the user called the run: messages repeat this, and none of the options that are added to it."""
        early_config.stash[CALLED] = self.words

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Certify what is planned, before anything else happens."""
        run = session.config.stash[RUN]
        if why := _why_not(session.config, run):
            raise pytest.UsageError(why)
        try:
            self.planned = _planned(run, session.items)
            # Closed when the results are written; what they measured is there still.
            self._studies = {model: run.study(model) for model in self.planned["models"]}
        except LLMPrefError as error:
            raise pytest.UsageError(str(error)) from None
        if self._known is not None:
            self.changed = certificate.changes_of_plan(self._known, self.planned)
        try:
            done = yield
        except pytest.UsageError as error:
            if not self.changed:
                raise
            # What follows, such as how to record what is missing, is no remedy for a study that changed.
            raise pytest.UsageError(str(error).partition("\n")[0].rstrip(":")) from None
        if self.plan:
            before = {
                model: certificate.answers_recorded(self._studies[model], list(measures))
                for model, measures in self.planned["models"].items()
            }
            self.found = self.planned | {certificate.BEFORE: before}
        return done

    @pytest.hookimpl(trylast=True)
    def pytest_llmpref_run_finished(self, results: "Results", folder: Path) -> None:
        """Add what was replayed, and what came of it."""
        found: dict[str, Any] = {}
        for model, one in results.models.items():
            claims: dict[str, Any] = {}
            for claim in one.claims:
                # A test may make several claims.
                number = sum(key.partition(" #")[0] == claim.nodeid for key in claims) + 1
                claims[claim.nodeid if number == 1 else f"{claim.nodeid} #{number}"] = certificate.claimed(claim)
            state = None if one.gate is None else one.gate.state
            recordings = certificate.recorded(self._studies[model])
            found[model] = {"recordings": recordings, "claims": claims, "gate": state}
        self.found = self.planned | {"kind": "results", "found": found}
        # The last screen names the files that there are, and these would vanish with their folder.
        for name in WRITTEN:
            (folder / name).unlink(missing_ok=True)


def _why_not(config: pytest.Config, run: "Run") -> str:
    """Say why a run cannot be certified; empty if it can."""
    if not run.everything or not run.settings.models:
        return "a certificate is of models: add --model NAME, and name tests that measure"
    given = {str(word).partition("=")[0] for word in config.invocation_params.args}
    if chosen := gating.chosen_by(config) or next((flag for flag in CHOOSING if flag in given), ""):
        return f"a certificate is of whole files, and {chosen} chooses a part; leave it out, and name other files"
    return ""


def _planned(run: "Run", items: Sequence[pytest.Item]) -> dict[str, Any]:
    """Return what the collected tests will ask and claim."""
    measuring = [item for item in items if collection.model_of(item) is not None and OFF not in item.stash]
    needed = collection.measures_needed(measuring, run.measured_by, all_protocols=run.settings.protocols == "all")
    here = run.config.invocation_params.dir
    return {
        "certificate": certificate.FORMAT,
        "kind": "plan",
        "version": version("pytest-llmpref"),
        "tests": [_place(Path(name), here) for name in run.config.args],
        "settings": _settings(run, here),
        **certificate.described(run.studies),
        "models": {
            model: certificate.planned(run.study(model), _testable(run, model, names))
            for model, names in needed.items()
        },
        "functions": _functions(run, measuring),
        "files": {_place(path, here): _hash(path) for path in sorted({item.path for item in measuring})},
    }


def _testable(run: "Run", model: str, measures: Sequence[str]) -> list[str]:
    """Return those measures that a model can give: imported data cannot give all."""
    return [name for name in measures if not run.study(model).source.why_absent([name])]


def _functions(run: "Run", items: Sequence[pytest.Item]) -> dict[str, Any]:
    """Return each test function: what it says, how strict it is, and the size of its family for each model."""
    found: dict[str, Any] = {}
    for item in items:
        known = found.setdefault(function_of(item.nodeid), {})
        source = inspect.getsource(getattr(item, "function"))  # noqa: B009 - not every item has one
        known["source"] = hashlib.sha256(source.encode()).hexdigest()
        known["gate"] = item.get_closest_marker("gate") is not None
        known["exploratory"] = item.get_closest_marker("exploratory") is not None
        known["alpha"] = collection.alpha_of(item, run.settings.alpha)
        known["family"] = run.family_size(item)
        if POLICY in item.stash:
            known["policy"] = asdict(item.stash[POLICY].of(item.path))
    return found


def _settings(run: "Run", here: Path) -> dict[str, Any]:
    """Return the settings that decide what is asked, where they are not the default; files relative to ``here``."""
    found: dict[str, Any] = {"model": list(run.settings.models)}
    for name, option in SETTINGS.items():
        value = getattr(run.settings, name)
        if isinstance(value, Path):
            value = _place(value, here)
        elif isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, bool | float | int):
            value = str(value).lower()
        if value and value != option.default and not _same_number(value, option.default):
            found[name] = value
    return found


def _same_number(text: object, default: str) -> bool:
    try:
        return float(str(text)) == float(default)
    except ValueError:
        return False


def _place(path: Path, here: Path) -> str:
    """Return a path relative to the folder of the run, the same on every system."""
    try:
        return Path(os.path.relpath(here / path, here)).as_posix()
    except ValueError:  # another drive of Windows
        return path.as_posix()


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def words_of(found: Mapping[str, Any], here: Path) -> list[str]:
    """Return the arguments of pytest that repeat what a certificate is of.

    A certificate may be somebody else's. So it can name tests below the present folder, and the settings that it may
    hold; it cannot name any other option of pytest.

    Parameters
    ----------
    found
        The certificate.
    here
        The folder of the run.

    Raises
    ------
    CertificateError
        If it names anything else.
    """
    tests, settings = found.get("tests"), found.get("settings")
    if not isinstance(tests, list) or not isinstance(settings, dict):
        raise CertificateError("it names no tests or no settings; name what llmpref certify wrote")
    words = []
    for test in tests:
        if not isinstance(test, str) or test.startswith("-") or not _is_below(here / test, here):
            raise CertificateError(f"it names the tests {test!r}, which are not in this folder; verify where they are")
        words.append(test)
    for name, value in settings.items():
        if name not in SETTINGS and name != "model":
            raise CertificateError(f"it holds the setting {name!r}, which no certificate has")
        for one in value if isinstance(value, list) else [value]:
            given = str(here / one) if name == "cassettes" else one
            words.append(f"{SETTINGS[name].long if name in SETTINGS else '--llmpref-model'}={given}")
    return words


def _is_below(path: Path, folder: Path) -> bool:
    return path.exists() and path.resolve().is_relative_to(folder.resolve())
