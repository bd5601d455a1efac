"""Our verdicts beside the plugins that projects have; prints a table.

Usage: ``python tests/integration/beside_plugins.py [PLUGIN ...]``

Needs uv. Each plugin is tried alone, set to work by options of its own: installed beside the wheel that the sdist
gives, with the newest version of everything, and taken away again. The suite has a claim that is supported, one that is
refuted, one that is inconclusive, and a test that is none of ours. What pytest and results.json say of it must be what
they say without the plugin.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
SUITE = """
from pytest_llmpref import spearman

def test_supported(preferences, donation_advice):
    assert spearman(preferences, donation_advice) > 0.5

def test_refuted(preferences, donation_advice):
    assert spearman(preferences, donation_advice) < 0

def test_inconclusive(preferences, donation_advice):
    assert spearman(preferences, donation_advice) > 0.8

def test_foreign():
    assert True
"""
# Short names such as --model may be another plugin's.
OURS = ("--llmpref-model=sim/paper-a", "--llmpref-profile=smoke")
PLUGINS = {
    "allure-pytest": "--alluredir=allure",
    "anyio": "-p anyio",
    "flaky": "--force-flaky",
    "inline-snapshot": "",
    "langsmith": "",
    "nbmake": "--nbmake",
    "pytest-aiohttp": "",
    "pytest-base-url": "--base-url=http://localhost",
    "pytest-bdd": "",
    "pytest-benchmark": "",
    "pytest-check": "",
    "pytest-clarity": "-vv --diff-width=80",
    "pytest-codspeed": "",
    "pytest-cov": "--cov=.",
    "pytest-dependency": "",
    "pytest-django": "",
    "pytest-env": "",
    "pytest-forked": "--forked",
    "pytest-freezer": "",
    "pytest-github-actions-annotate-failures": "",
    "pytest-html": "--html=report.html --self-contained-html",
    "pytest-httpx": "",
    "pytest-icdiff": "",
    "pytest-instafail": "--instafail",
    "pytest-json-report": "--json-report",
    "pytest-md-report": "--md-report",
    "pytest-metadata": "--metadata of ours",
    "pytest-mock": "",
    "pytest-mypy": "",
    "pytest-operator": "",
    "pytest-order": "--order-scope=module",
    "pytest-picked": "",
    "pytest-playwright": "",
    "pytest-pretty": "",
    "pytest-profiling": "--profile",
    "pytest-random-order": "--random-order",
    "pytest-randomly": "",
    "pytest-recording": "--record-mode=none",
    "pytest-regressions": "",
    "pytest-repeat": "--count=1",
    "pytest-reportlog": "--report-log=log.jsonl",
    "pytest-rerunfailures": "--reruns=1",
    "pytest-retry": "--retries=1",
    "pytest-snapshot": "",
    "pytest-socket": "--disable-socket",
    "pytest-split": "--splits=1 --group=1",
    "pytest-subtests": "",
    "pytest-sugar": "",
    "pytest-testmon": "--testmon",
    "pytest-timeout": "--timeout=300",
    "pytest-trio": "",
    "pytest-xdist": "-n 2",
}
"""Name on the index -> the options that set it to work, where it needs any."""
DIFFERENT = {"pytest-snapshot": "-p no:syrupy"}
"""What to add where the plugin does not work beside ours without."""


@dataclass(frozen=True)
class Said:
    """What a run said.

    Attributes
    ----------
    status
        Exit status.
    counts
        Tests, and those that failed, were errors, or were skipped, by junit.xml.
    models
        What results.json says of the models.
    output
        What the run printed.
    """

    status: int
    counts: dict[str, int]
    models: dict[str, object]
    output: str

    def differs(self, alone: "Said") -> list[str]:
        """Return in what way this is not what was said without the plugin."""
        found = []
        if self.status != alone.status:
            found.append(f"exit status {self.status}, not {alone.status}")
        if self.counts != alone.counts:
            found.append(f"counts {self.counts}, not {alone.counts}")
        if self.models != alone.models:
            found.append("results.json")
        if "INTERNALERROR" in self.output:
            found.append("INTERNALERROR")
        return found


class Environment:
    """A virtual environment with our wheel, from which plugins come and go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "venv" / "bin" / "python"
        self.uv("build", "--out-dir", folder / "dist", ROOT)
        self.uv("venv", "--python", sys.executable, folder / "venv")
        (self.wheel,) = (folder / "dist").glob("*.whl")
        self.install()
        self.base = self.versions()
        (folder / "base.txt").write_text(self._freeze())

    def uv(self, *words: object) -> str:
        done = subprocess.run(["uv", *map(str, words)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def install(self, *plugins: str) -> None:
        """Install plugins beside the wheel, in versions that suit both."""
        self.uv("pip", "install", "--python", self.python, self.wheel, *plugins)

    def restore(self) -> None:
        """Take away what was installed since the beginning, and put back what that changed."""
        self.uv("pip", "sync", "--python", self.python, self.folder / "base.txt")

    def _freeze(self) -> str:
        return self.uv("pip", "freeze", "--python", self.python)

    def versions(self) -> dict[str, str]:
        lines = [line.partition("==") for line in self._freeze().splitlines()]
        return {name: version for name, _, version in lines if version}

    def run(self, *options: str, **variables: str) -> Said:
        """Run the suite in a project of its own."""
        with tempfile.TemporaryDirectory(dir=self.folder) as made:
            project = Path(made)
            (project / "test_suite.py").write_text(SUITE)
            subprocess.run(["git", "init", "-q", made], check=False)  # pytest-picked asks it
            # Nothing that CI, or the shell, sets for this checkout.
            environment = {"PATH": f"{self.python.parent}:{os.environ['PATH']}", "HOME": made} | variables
            done = subprocess.run(
                [self.python, "-m", "pytest", "--junitxml=junit.xml", *options],
                cwd=project, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            junit, results = project / "junit.xml", project / "reports/latest/results.json"
            counts = {}
            if junit.is_file():
                (suite,) = ElementTree.parse(junit).getroot()
                counts = {key: int(suite.attrib[key]) for key in ("tests", "failures", "errors", "skipped")}
            models = json.loads(results.read_text())["models"] if results.is_file() else {}
            return Said(done.returncode, counts, models, done.stdout + done.stderr)


def tried(environment: Environment, name: str, alone: Said) -> str:
    """Try one plugin, and return its row."""
    try:
        environment.install(name)
    except RuntimeError as error:
        sys.stderr.write(f"{name}:\n{error}\n")
        return f"| {name} | | | cannot be installed beside ours | |"
    versions = environment.versions()
    others = [
        f"{package} {versions.get(package, 'removed')}"
        for package, version in environment.base.items()
        if versions.get(package) != version and package != name
    ]
    words = PLUGINS.get(name, "")
    variables = {"GITHUB_ACTIONS": "true"} if "github" in name else {}
    said = environment.run(*OURS, *shlex.split(words), **variables)
    result = "; ".join(said.differs(alone)) or "same"
    if result != "same" and name in DIFFERENT:
        again = environment.run(*OURS, *shlex.split(f"{words} {DIFFERENT[name]}"), **variables)
        result += f"; with `{DIFFERENT[name]}` {'; '.join(again.differs(alone)) or 'same'}"
    elif result != "same" and environment.run("-pno:llmpref", "-k=foreign", *shlex.split(words), **variables).status:
        result += "; without ours, the foreign test fails too"
    if not result.endswith("same"):
        sys.stderr.write(f"{name}:\n{said.output[-3000:]}\n")
    environment.restore()
    options = f"`{words}`" if words else ""
    return f"| {name} | {versions[name]} | {options} | {result} | {', '.join(others)} |"


def main(names: list[str]) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        environment = Environment(Path(folder))
        alone = environment.run(*OURS)
        claims = [claim["verdict"] for model in alone.models.values() for claim in model["claims"]]
        assert sorted(claims) == ["inconclusive", "refuted", "supported"], alone.output
        print(f"Without any: exit status {alone.status}, {alone.counts}, verdicts {sorted(claims)}")
        print("| plugin | version | options | result | other versions that it asks for |\n|---|---|---|---|---|")
        for name in names or PLUGINS:
            print(tried(environment, name, alone), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
