"""llama.cpp's OpenAI-compatible server, as a process of its own: ``python -P llama_server.py '{"path": ...}'``.

Prints its address when it answers. Ends when its standard input does, and so with its parent, however that one dies.
Imports nothing of this package: it runs as a file.
"""

import json
import os
import signal
import sys
import threading
import time
from typing import NoReturn


def main() -> None:
    """Serve one model for as long as standard input stays open."""
    # Ctrl-C goes to the whole process group; the parent decides when the server goes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Standard output is for the address alone; llama.cpp writes its log there too.
    address = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    from xllamacpp import Server  # noqa: PLC0415 - it loads slowly, and the parent may be gone by then

    server = Server(_parameters(json.loads(sys.argv[1])))
    print(server.listening_address, file=address, flush=True)
    while True:
        time.sleep(3600)


def _end_with_parent() -> NoReturn:
    while os.read(0, 1024):
        pass
    os._exit(0)


def _parameters(settings: dict[str, object]) -> object:
    from xllamacpp import CommonAdapterLoraInfo, CommonParams  # noqa: PLC0415 - see above

    p = CommonParams()
    p.model.path = settings["path"]
    p.model_alias = {settings["alias"]}
    if settings["chat_template"] is not None:
        p.chat_template = settings["chat_template"]
    if settings["adapter"] is not None:
        adapter = CommonAdapterLoraInfo()
        adapter.path, adapter.scale = settings["adapter"], 1.0
        p.lora_adapters = [adapter]
    p.hostnames = ["127.0.0.1"]
    # The system chooses a free port, so nobody can take it in between.
    p.port = 0
    p.n_parallel = settings["slots"]
    p.n_ctx = p.n_parallel * settings["context"]
    for cpu in (p.cpuparams, p.cpuparams_batch):
        cpu.n_threads = settings["threads"]
        # Waiting threads sleep: where cores are few, spinning takes them from those that work.
        cpu.poll = 0
    # Keeps the whole prompt of models with sliding-window attention, so that the common beginning is computed once.
    p.swa_full = True
    return p


if __name__ == "__main__":
    main()
