"""``python -m pytest_llmpref``: the command ``llmpref``, where its script is not on the path."""

from pytest_llmpref.cli import run

if __name__ == "__main__":
    run()
