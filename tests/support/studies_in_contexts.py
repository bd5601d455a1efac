"""Small studies in contexts, of simulated models."""

from pathlib import Path

from pytest_llmpref import Measure, open_study
from pytest_llmpref.files import data_folder

SMOKE = (data_folder("fixtures") / "profiles" / "smoke.toml").read_text(encoding="utf-8")
ENTITIES = 24
_MEASURED: dict[tuple[str, str], dict[str, Measure]] = {}


def profile_of(folder: Path, **changes: object) -> str:
    """Write the profile smoke with 24 entities and these changes, and return its path."""
    lines = {line.split(" = ")[0]: line for line in SMOKE.splitlines()}
    for key, value in {"entities": ENTITIES, **changes}.items():
        lines[key] = f"{key} = {value}"
    path = folder / "small.toml"
    path.write_text("\n".join(lines.values()), encoding="utf-8")
    return str(path)


def measured(world: str, profile: str, *names: str):
    """Return measures of a simulated model, by their names in results.json; each is asked once, whoever needs it."""
    text = Path(profile).read_text(encoding="utf-8") if Path(profile).suffix else profile
    before = _MEASURED.setdefault((world, text), {})
    if missing := [name for name in names if name not in before]:
        with open_study(world, profile=profile) as study:
            before |= {name: study[name] for name in missing}
    return [before[name] for name in names]
