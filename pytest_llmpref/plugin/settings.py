"""Our settings, as pytest has them: the command line first, then the ini keys, then the defaults."""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_llmpref.config.options import (
    FILES,
    OPTIONS,
    RECORD_MODE,
    SHORT,
    Option,
    SettingError,
    Settings,
    configuration_in,
    converted,
)
from pytest_llmpref.files import LinkedFolderError, explained, refuse_links_below
from pytest_llmpref.plugin.stash import CALLED


def names_model(config: pytest.Config) -> bool:
    """Whether the run names a model, on the command line or in the ini file."""
    return bool(_value(config, OPTIONS[0], OPTIONS[0].dest))


def names_strict(config: pytest.Config) -> bool:
    """Whether the run is strict. Unlike the other settings it is asked for where no model is named."""
    option = next(option for option in OPTIONS if option.ini == "llmpref_strict")
    return bool(_value(config, option, option.dest))


def read_settings(config: pytest.Config, began: datetime, entity_sets: Mapping[str, Path]) -> Settings:
    """Read the settings: the command line first, then the ini keys, then the defaults.

    ``entity_sets`` holds the files of the entity sets that have a name.

    Raises
    ------
    pytest.UsageError
        A value that is not allowed; the message names the option.
    """
    values = {option.ini.removeprefix("llmpref_"): _value(config, option, option.dest) for option in OPTIONS}
    names = tuple(dict.fromkeys(values.pop("model")))
    for name in names:
        if "," in name and not name.endswith((".gguf", ".toml")):
            apart = " ".join(f"--model {part.strip()}" for part in name.split(",") if part.strip())
            text = f"--model {name}: one model each time; for several repeat it: {apart}"
            raise pytest.UsageError(spelled(config, text))
    boolq = values.pop("boolq")
    agentic = tuple(dict.fromkeys(values.pop("agentic")))
    values |= {name: tuple(values[name]) for name in ("param", "header")}
    root = project_folder(config)
    bases = {option.ini.removeprefix("llmpref_"): _base(config, option) for option in OPTIONS}
    files: Any = {name: bases[name] / given if (given := values.pop(name)) else None for name in FILES}
    if (named := files["entities"]) is not None:
        files["entities"] = entity_sets.get(named.name, named) if named.parent == bases["entities"] else named
    values["profile"] = _own_profile(config, values["profile"], bases["profile"])
    return Settings(
        models=names,
        agentic=agentic,
        record_mode=_record_mode(config),
        boolq=boolq if boolq in {"", "dev"} else str(bases["boolq"] / boolq),
        cassettes=root / values.pop("cassettes"),
        report_dir=root / values.pop("report_dir"),
        **files,
        command=_command(config),
        began=began,
        **values,
    )


def check_folders(config: pytest.Config, settings: Settings) -> None:
    """Make sure that recordings and reports are not read or written through a link that a pull request can bring.

    Raises
    ------
    pytest.UsageError
        If a part of their folders below the project is a link, or may not be looked into; the message names it and the
        option.
    """
    below = {"--llmpref-cassettes": settings.cassettes, "--report-dir": settings.report_dir / "latest"}
    for flag, folder in below.items():
        try:
            refuse_links_below(project_folder(config), folder)
        except LinkedFolderError as error:
            raise pytest.UsageError(f"{spelled(config, flag)}: {error}") from None
        except OSError as error:
            said = explained(error, "look into the folder", "make it readable, or name another")
            raise pytest.UsageError(f"{spelled(config, flag)}: {said}") from None


def project_folder(config: pytest.Config) -> Path:
    """Return the folder to which those of cassettes and reports are relative.

    That of the ini file; without one, where pytest was called. Not pytest's rootdir, unless it was named: pytest takes
    the ``PATH`` of ``--baseline PATH`` for tests when it looks for rootdir and ini file, before it loads plugins. The
    workers of xdist do not, so they take the controller's folder.

    Raises
    ------
    pytest.UsageError
        If pytest reads the ini file of another project, and settings of ours stand there or in the project's own.
    """
    if (given := getattr(config, "workerinput", {}).get("llmpref_project")) is not None:
        return Path(given)
    if config.getoption("rootdir", None):
        return config.rootpath
    here, ini = config.invocation_params.dir, config.inipath
    named = [path.resolve() for name in config.args if (path := here / name.partition("::")[0]).exists()]
    if ini is not None:
        folder = ini.parent.resolve()
        if config.getoption("inifilename", None) or any(
            path.is_relative_to(folder) for path in (here.resolve(), *named)
        ):
            return ini.parent
    start = Path(os.path.commonpath(named)) if named else here.resolve()
    own = next(filter(None, map(configuration_in, (start, *start.parents))), None)
    read = [path for path in (own, ini) if path is not None]
    if ini is not None and any("llmpref_" in path.read_text(encoding="utf-8", errors="replace") for path in read):
        instead = f" instead of {own}" if own else ""
        text = (
            f"--baseline PATH: pytest took PATH for tests, and reads {ini}{instead}; write --baseline=PATH, in one word"
        )
        raise pytest.UsageError(spelled(config, text))
    return here if own is None else own.parent


def spelled(config: pytest.Config, text: str) -> str:
    """Return a message with the long names of those options whose short name another plugin has."""
    taken: Sequence[str] = getattr(config.option, "llmpref_taken", ())
    for option in SHORT:
        if option.flag in taken and not _is_shared(config, option):
            text = re.sub(rf"(?<![\w-]){option.flag}(?![\w-])", option.long, text)
    return text


def _command(config: pytest.Config) -> str:
    """Return the run as the user called it, without its record mode; a worker knows how its controller was called."""
    worker = getattr(config, "workerinput", None)
    given = config.stash.get(CALLED, config.invocation_params.args)
    words = list(map(str, worker["mainargv"][1:] if worker else given))
    kept: list[str] = []
    for word in words:
        name, separator, _ = word.partition("=")
        if kept and kept[-1] in _MODE_FLAGS:
            kept.pop()
        elif not (separator and name in _MODE_FLAGS):
            kept.append(word)
    return shlex.join(["pytest", *kept])


_MODE_FLAGS = {RECORD_MODE.flag, "--llmpref-record-mode"}


def _base(config: pytest.Config, option: Option) -> Path:
    """Return the folder from which an option's file counts: that of the ini file, if it says so there."""
    in_ini = config.getoption(option.dest, None) is None and config.inipath is not None
    return config.inipath.parent if in_ini and config.inipath else config.invocation_params.dir


def _own_profile(config: pytest.Config, profile: str, base: Path) -> str:
    """Return the profile's name or path; a name is looked up beside the file that the ini key gives, if it gives one.

    So what `llmpref init` copied is what is read, whether a run names it or not.
    """
    if profile.endswith(".toml"):
        # Where pytest was called, a path stays as it was written: messages repeat it.
        return profile if base == config.invocation_params.dir else str(base / profile)
    beside = str(config.getini("llmpref_profile") or "")
    if beside.endswith(".toml") and config.inipath:
        own = (config.inipath.parent / beside).with_name(f"{profile}.toml")
        return str(own) if own.is_file() else profile
    return profile


def _is_shared(config: pytest.Config, option: Option) -> bool:
    """Whether pytest-recording has this option: it means the same there."""
    return option is RECORD_MODE and config.pluginmanager.hasplugin("recording")


def _record_mode(config: pytest.Config) -> Any:  # noqa: ANN401 - as below
    alone = config.getoption(RECORD_MODE.dest, None) is None and _is_shared(config, RECORD_MODE)
    return _value(config, RECORD_MODE, "record_mode" if alone else RECORD_MODE.dest)


def _value(config: pytest.Config, option: Option, dest: str) -> Any:  # noqa: ANN401 - its type is the option's
    given, source = config.getoption(dest, None), spelled(config, option.flag)
    if given is None:
        given, source = _ini_value(config, option), f"ini key {option.ini}"
    if option.many:
        return [str(one) for one in given or ()]
    if isinstance(given, list | dict):
        raise pytest.UsageError(f"{source} {given}: takes one value")
    # TOML's own true is Python's True.
    text = str(given).lower() if option.kind is bool else str(given)
    try:
        return converted(option, option.default if given is None or given == "" else text, source)
    except SettingError as error:
        raise pytest.UsageError(str(error)) from None


def _ini_value(config: pytest.Config, option: Option) -> Any:  # noqa: ANN401 - whatever TOML has
    """Return an ini key's value. In pytest 9's own TOML tables it may be a number, a boolean, a list or a string.

    pytest takes one type for each key there. So the few values of another type are read from where pytest keeps them.
    """
    try:
        return config.getini(option.ini)
    except (TypeError, pytest.UsageError):
        value = config._inicfg[option.ini].value  # noqa: SLF001 - there is no public way
    if not option.many or isinstance(value, list):
        return value
    return shlex.split(value) if isinstance(value, str) else [value]
