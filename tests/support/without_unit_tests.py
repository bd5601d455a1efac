"""Modules that no unit test can run, each with the reason: tests in tests/integration do."""

ONLY_IN_INTEGRATION = {
    "plugin/": "works inside a pytest run, through its hooks",
    "report/terminal.py": "writes at the end of a pytest run",
    "experiments/agents/bubblewrap.py": "starts a sandbox",
    "experiments/agents/evaluating.py": "has Inspect run tasks",
    "experiments/agents/inspect_runs.py": "has Inspect run tasks",
    "experiments/agents/inspecting.py": "stands between Inspect and a model",
    "experiments/agents/sandboxes.py": "stands between Inspect and a sandbox",
    "experiments/agents/running.py": "runs agents in a sandbox",
    "experiments/agents/supervisor.py": "runs as a file of its own, inside a sandbox",
    "export/inspect_log.py": "imports Inspect, which takes seconds",
    "imports/inspect_log.py": "the same",
    "cli/calibrate.py": "starts processes",
    "models/llama_server.py": "runs as a file of its own, in a process of llama.cpp's",
    "models/server_process.py": "starts and ends a process",
}
"""Module, or folder with a slash at its end -> why. In a folder, modules may have unit tests all the same."""


def only_in_integration(place: str) -> bool:
    """Whether a module, or a folder that it lies in, is listed."""
    return any(place == listed or (listed.endswith("/") and place.startswith(listed)) for listed in ONLY_IN_INTEGRATION)
