"""What was counted when mutants met tests, and the page that shows it."""

import datetime
import json
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIGURES = Path(__file__).parent / "figures.json"
PAGE = ROOT / "docs" / "validation" / "mutants.md"
TARGET = 0.90
"""Share of the mutants that tests must kill, equivalent ones left out."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of a module's mutants.

    Attributes
    ----------
    mutants
        How many there are.
    met
        How many of them met tests: all, or a random sample.
    killed
        How many a test told from the original.
    equivalent
        How many survived that no test can tell from the original: each stands in ``equivalent.toml`` with the reason.
    """

    mutants: int
    met: int
    killed: int
    equivalent: int

    @property
    def share(self) -> float:
        """Share of those met, equivalent ones left out, that tests killed."""
        judged = self.met - self.equivalent
        return self.killed / judged if judged else 1.0


def record(module: str, counts: Counts, modules: Iterable[str]) -> None:
    """Write the counts of one of some modules, with the commit and the day, and the page anew."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=7", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    figures[module] = asdict(counts) | {"commit": commit, "day": datetime.datetime.now(datetime.UTC).date().isoformat()}
    FIGURES.write_text(json.dumps(dict(sorted(figures.items())), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(figures, modules), encoding="utf-8")


def page(figures: dict, modules: Iterable[str]) -> str:
    """Return the page on the figures, which names the modules that have none."""
    rows = []
    for module, found in sorted(figures.items()):
        counts = Counts(**{name: found[name] for name in Counts.__slots__})
        met = "all" if counts.met == counts.mutants else str(counts.met)
        rows.append(
            f"| `{module}` | {counts.mutants} | {met} | {counts.killed} | {counts.equivalent} | {counts.share:.1%} "
            f"| {found['day']} | `{found['commit']}` |"
        )
    missing = ", ".join(f"`{module}`" for module in sorted(set(modules) - figures.keys()))
    text = _TEXT.replace("ROWS", "\n".join(rows))
    return f"{text}\nNot counted yet: {missing}.\n" if missing else text


_TEXT = """\
# Mutants: would the tests notice a mistake?

A *mutant* is a copy of a function with one small change, such as `<` for `<=` or 2 for 1. If no test fails, either the
tests miss something, or the change makes no difference.

<!-- not run: meets thousands of mutants -->
```sh
pip install "mutmut>=3.8" && python tests/mutation/run.py --record
```

[mutmut](https://mutmut.readthedocs.io) makes the mutants, and the unit tests of each module meet them. The
nightly workflow does this with up to 40 mutants of each module, and fails if tests kill less than 90% of them. It has
not run for all modules yet: those without a row may fail it.

- *Met*: where a module has many mutants, `--sample N` has a random sample of them meet the tests, with a fixed seed.
  The share of 40 mutants has a standard error of about 5 points.
- *Equivalent*: no test can tell the mutant from the original. `tests/mutation/equivalent.toml` gives the reason for
  each.
- *Share*: of the mutants met, equivalent ones left out, how many tests kill. A mutant that no test reaches counts as
  not killed.
- *Commit*: the last one before the run.

**Where a sample was met, the share is too high for the mutants outside it.** Tests were written for those that
survived, and only these met the tests again. On first meeting, before that, the shares were lower: 59% in
`stats/slopes`, 80% in `stats/randomisation` (82% in a second sample), 65% in `parsing/replies`, 30% in
`parsing/logprobs`, 62% in `parsing/choosing`. 41 modules met 15 mutants each for the first time on 2026-11-30,
and 487 of the 615 were killed (79%; equivalent ones count as survivors there). No sample says that a whole module
reaches 90%.

Of `parsing/choosing` and `parsing/stating`, 13 and 11 mutants count as killed because they misread a line of
`tests/replies/own`, which was read by itself. The tests that hold these lines were not run on them.

Left out are texts, whose wording snapshots hold, decorated functions such as properties, which mutmut leaves alone,
and what stands outside functions, such as tables of words. Tests that take seconds meet no mutant.

| module | mutants | met | killed | equivalent | share | day | commit |
|---|---|---|---|---|---|---|---|
ROWS
"""
