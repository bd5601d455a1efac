"""``llmpref serve``: a simulated model over HTTP, as a provider would offer it."""

import argparse
import asyncio
from typing import Any

from pytest_llmpref.errors import LLMPrefError


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not export the type of its subparsers
    """Declare the subcommand."""
    command = commands.add_parser(
        "serve",
        help="serve a simulated model over HTTP",
        description="Serve a simulated model on loopback, as a server that speaks OpenAI's API, until Ctrl-C.",
    )
    command.add_argument("model", help="sim/NAME of a shipped world, or sim/PATH.toml")
    command.add_argument("--port", type=int, default=0, help="port to listen on (default: any free one)")
    command.set_defaults(run=_serve)


def _serve(options: argparse.Namespace) -> None:
    from pytest_llmpref.experiments.registry import simulated_answers  # noqa: PLC0415 - for those who serve
    from pytest_llmpref.models.simulated.model import SimulatedModel  # noqa: PLC0415
    from pytest_llmpref.models.simulated.server import Server  # noqa: PLC0415
    from pytest_llmpref.study.extensions import register_installed  # noqa: PLC0415

    register_installed()
    server = Server(SimulatedModel(options.model, simulated_answers()))

    async def run() -> None:
        try:
            address = await server.start(options.port)
        except (OSError, OverflowError) as error:
            raise LLMPrefError(f"--port {options.port}: cannot listen there ({error}); leave it out") from None
        said = (
            f"{options.model} (simulated) at {address}; Ctrl-C stops it.",
            "Measure it over HTTP, from another terminal, with:",
            f"  HOSTED_VLLM_API_BASE={address} \\",
            f"  pytest suites/replication --model hosted_vllm/{options.model} \\",
            "    --profile smoke --record-mode new_episodes",
        )
        print("\n".join(said), flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await server.stop()

    serving = run()
    try:
        asyncio.run(serving)
    except KeyboardInterrupt:
        print("stopped")
    finally:
        # Ctrl-C may come before the loop took it, and Python would warn that it was never awaited.
        serving.close()
