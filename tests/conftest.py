"""What the tests of the plugin share: a small simulated model, recorded once."""

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from fork_server import LIVE, PLUGIN, ForkServer, at_start, imported_by
from planted import PlantedModel
from planted_server import SUITE, PlantedServer
from simulated_recordings import ENTITIES, record

from pytest_llmpref.config.entities import load_entities
from pytest_llmpref.models.simulated.model import SimulatedModel
from pytest_llmpref.models.simulated.server import Server

# Else litellm looks its price list up at an address outside, while a unit test may reach nobody.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
# Else each process multiplies small matrices on all processors, and processes side by side wait for each other: with
# two on two processors, the fits of a mixed model take 15 times as long. Set before anything here imports numpy.
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

pytest_plugins = ["pytester"]
collect_ignore = ["examples/trust"]  # packages as others would write them, which tests run by themselves


def pytest_xdist_make_scheduler(config, log):
    """Let a worker that is done take tests from the other: whole folders are slow, and others are quick."""
    if config.getvalue("dist") != "load":
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


def pytest_collection_finish() -> None:
    """Let the garbage collector leave out the tests and modules that there are: they stay until the end.

    Where hypothesis is imported later, as in a run of few tests, it looks for who refers to trio's random numbers, and
    would warn that nobody does.
    """
    if "hypothesis" in sys.modules:
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory, worker_id) -> Iterator[Path]:
    """A cache folder of its own for all that runs, shared by all workers.

    So nothing is found that an earlier run of a user's left, and the report's script is bundled once, not by each run.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def no_test_leaves_http_patched() -> Iterator[None]:
    """Fail the test that leaves vcrpy between the HTTP clients and the network, not a later one that meets it."""
    before = _http_is_patched()
    yield
    if _http_is_patched() and not before:
        # A recording that an exception kept alive, and that nobody closed, goes with it.
        gc.collect()
        assert not _http_is_patched()


def _http_is_patched() -> bool:
    if (patches := sys.modules.get("vcr.patch")) is None:
        return False
    import httpx

    return httpx.HTTPTransport.handle_request is not patches._HttpxHttpTransport_handle_request


@pytest.fixture(scope="session")
def fork_server() -> Iterator[Callable[[Sequence[str]], ForkServer | None]]:
    """Return a process that has imported some modules; ``None`` where a copy would not begin as a new one would."""
    servers: dict[Sequence[str], ForkServer] = {}

    def server(modules: Sequence[str]) -> ForkServer | None:
        if not (modules and hasattr(os, "fork")):
            return None
        if modules not in servers:
            base = next((one for one in (LIVE, PLUGIN) if one == modules[: len(one)] != modules), ())
            servers[modules] = ForkServer(modules, server(base))
        return servers[modules] if servers[modules].variables == at_start(os.environ) else None

    yield server
    for one in reversed(servers.values()):
        one.stop()


@pytest.fixture(scope="session")
def run_module(fork_server) -> Callable[[str, Sequence[object], Path], subprocess.CompletedProcess[str]]:
    """Return what runs a module in a folder as ``python -m`` does, in a process of its own."""

    def run(module: str, arguments: Sequence[object], folder: Path) -> subprocess.CompletedProcess[str]:
        words = [*map(str, arguments)]
        if server := fork_server(imported_by(words)):
            return server.run(module, words, folder)
        command = [sys.executable, "-m", module, *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def pytester(pytester, monkeypatch, fork_server) -> pytest.Pytester:
    """Pytest's own, whose runs leave out two plugins that nothing here uses: 0.6 of 2 seconds of a start.

    They print the same wherever they run: where a variable says so (as most CI sets it), pytest shortens no line.

    They begin with some modules imported; a test sets ``pytester.imported`` to others, or to none.
    """
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:anyio")
    pytester.imported, new = PLUGIN, pytester.popen

    def popen(command, **how):
        plain = command[1] == "-mpytest" and how["stdin"] is pytester.CLOSE_STDIN
        imported = imported_by(command, pytester.imported) if pytester.imported else ()
        server = fork_server(imported) if plain else None
        return (server.popen if server else new)(command, **how)

    monkeypatch.setattr(pytester, "popen", popen)
    return pytester


@pytest.fixture(scope="session")
def recorded(tmp_path_factory) -> Path:
    """A folder with an entity set of 12, and the recordings of two simulated models: one plain, one one-sided."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "twelve.csv").write_text(ENTITIES)
    entities = load_entities(folder / "twelve.csv")
    utilities = {entity.name: 0.8 * rank - 4.4 for rank, entity in enumerate(entities)}
    record(folder / "cassettes", PlantedModel(utilities), "sim/plain", entities)
    record(folder / "cassettes", PlantedModel(utilities, always="A"), "sim/always-a", entities)
    return folder


@pytest.fixture
def suite(pytester, recorded):
    """Write a test file, run it in a process of its own against the recordings, and return the result."""

    def run(source: str, *options: str, model: str = "sim/plain"):
        pytester.makepyfile(test_it=textwrap.dedent(source))
        named = ["--model", model] if model else []
        return pytester.runpytest_subprocess(
            *named,
            f"--llmpref-cassettes={recorded / 'cassettes'}",
            f"--llmpref-entities={recorded / 'twelve.csv'}",
            "-p",
            "no:cacheprovider",
            *options,
        )

    return run


@pytest.fixture
def server(recorded) -> Iterator[PlantedServer]:
    entities = load_entities(recorded / "twelve.csv")
    found = PlantedServer(PlantedModel({entity.name: 0.8 * rank - 4.4 for rank, entity in enumerate(entities)}))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def live(pytester, recorded, server, monkeypatch):
    """Run a test file against the server, in a process of its own with a folder of cassettes that stays."""
    monkeypatch.setenv("OPENAI_API_BASE", server.api_base)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdefghij")
    pytester.imported = LIVE

    def run(*options: str, source: str = SUITE):
        pytester.makepyfile(test_it=textwrap.dedent(source))
        return pytester.runpytest_subprocess(
            "--model=openai/served",
            f"--llmpref-entities={recorded / 'twelve.csv'}",
            "-p",
            "no:cacheprovider",
            *options,
        )

    return run


@pytest.fixture
def served() -> Iterator[Callable[[str], str]]:
    """Serve simulated models over HTTP, from a thread; returns the address of each."""
    loop = asyncio.new_event_loop()
    servers = []
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def serve(name: str) -> str:
        servers.append(Server(SimulatedModel(name)))
        return asyncio.run_coroutine_threadsafe(servers[-1].start(0), loop).result(30)

    yield serve
    for server in servers:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)
    loop.close()
