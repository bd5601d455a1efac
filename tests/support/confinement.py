"""Whether bubblewrap confines anything on this machine: found without any of our own code, which might be at fault."""

import os
import shutil
import subprocess

import pytest

NOBODY = 65534


def _fault() -> str:
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    # As whom sandboxes run.
    user = NOBODY if os.geteuid() == 0 else None
    tried = subprocess.run(
        ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"], check=False, capture_output=True, user=user, cwd="/"
    )
    return "" if tried.returncode == 0 else f"bubblewrap confines nothing here: {tried.stderr.decode().strip()}"


FAULT = _fault()
confined = pytest.mark.skipif(bool(FAULT), reason=FAULT)
