"""Runs of pytest that the documents show."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, arguments: list[str]) -> str:
    """Run pytest over this repository's suites in a new folder, and return what it prints, with its colours."""
    command = [sys.executable, "-m", "pytest", *arguments, "--color=yes", "-p", "no:cacheprovider"]
    command += ["--llmpref-cassettes", str(ROOT / "cassettes")]
    environment = os.environ | {"COLUMNS": "80", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "suites").symlink_to(ROOT / "suites")
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1}:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout
