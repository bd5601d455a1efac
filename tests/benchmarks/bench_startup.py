"""How much later a pytest run starts that does not use the plugin: with it, and with ``-p no:llmpref``, in turn."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Print the paired difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    # Without bytecode files every import is compiled anew, which no user's machine does.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_nothing.py").write_text("def test_nothing():\n    pass\n")

        def seconds(*options: str) -> float:
            began = time.perf_counter()
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
            subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
            return time.perf_counter() - began

        seconds()
        pairs = [(seconds(), seconds("-p", "no:llmpref")) for _ in range(runs)]
    differences = sorted(1000 * (with_it - without) for with_it, without in pairs)
    print(
        f"with the plugin {1000 * statistics.median(w for w, _ in pairs):.0f} ms, "
        f"without {1000 * statistics.median(w for _, w in pairs):.0f} ms; paired difference: "
        f"median {statistics.median(differences):.0f} ms "
        f"(quartiles {differences[runs // 4]:.0f} to {differences[3 * runs // 4]:.0f}, {runs} runs)"
    )


if __name__ == "__main__":
    main()
