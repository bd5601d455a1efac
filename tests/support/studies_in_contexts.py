"""Small studies in contexts, of simulated models."""

from functools import cache
from pathlib import Path

from pytest_llmpref import open_study
from pytest_llmpref.files import data_folder

SMOKE = (data_folder("fixtures") / "profiles" / "smoke.toml").read_text(encoding="utf-8")
ENTITIES = 24


def profile_of(folder: Path, **changes: object) -> str:
    """Write the profile smoke with 24 entities and these changes, and return its path."""
    lines = {line.split(" = ")[0]: line for line in SMOKE.splitlines()}
    for key, value in {"entities": ENTITIES, **changes}.items():
        lines[key] = f"{key} = {value}"
    path = folder / "small.toml"
    path.write_text("\n".join(lines.values()), encoding="utf-8")
    return str(path)


@cache
def measured(world: str, profile: str, *names: str):
    """Return measures of a simulated model, by their names in results.json."""
    with open_study(world, profile=profile) as study:
        return [study[name] for name in names]
