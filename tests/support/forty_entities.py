"""An entity set of 40, and profiles that ask all its pairs, and a few of them adaptively."""

from pathlib import Path

from pytest_llmpref.files import data_folder

N = 40
PARTNERS = 6
ASKED = N * PARTNERS
"""Three rounds of 40 pairs, each asked in both orders."""


def write_forty(folder: Path) -> Path:
    """Write the set and the profiles into a folder, and return the folder."""
    rows = "".join(f"the {word} Fund {n},{'ab'[n % 2]}\n" for n, word in enumerate(["Oak", "Elm"] * (N // 2)))
    (folder / "forty.csv").write_text("name,group\n" + rows)
    text = (data_folder("fixtures") / "profiles/smoke.toml").read_text()
    (folder / "all.toml").write_text(text.replace("\npartners = 4 ", '\npartners = "all"'))
    few = text.replace("\npartners = 4 ", f"\npartners = {PARTNERS}")
    (folder / "few.toml").write_text(few + 'selection = "adaptive"\n')
    return folder
