"""Find the data that travels with the package: entity sets, prompts, profiles, suites."""

from pathlib import Path

PACKAGE = Path(__file__).parent


def data_folder(name: str) -> Path:
    """Return the folder ``fixtures`` or ``suites``, from the wheel or from a source checkout.

    Raises
    ------
    FileNotFoundError
        If neither the installed package nor the checkout around it holds the folder.
    """
    for root in (PACKAGE / "_data", PACKAGE.parent):
        if (root / name).is_dir():
            return root / name
    raise FileNotFoundError(f"pytest-llmpref is installed without its {name!r} data; reinstall the package")
