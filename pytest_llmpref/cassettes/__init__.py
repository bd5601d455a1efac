"""The recorded interactions of each model: the store, its replay, and the bridge to vcrpy.

Only this package imports vcr, and only when something is recorded or replayed at the wire.
"""

from pytest_llmpref.cassettes.interaction import (
    CassetteError,
    CassetteWarning,
    Exchange,
    Interaction,
    Line,
    MissingRecordingError,
    NetworkRefusedError,
    WireRequest,
    WireResponse,
)
from pytest_llmpref.cassettes.recording import Deeds, RecordingModel, ReplayModel, must_ask
from pytest_llmpref.cassettes.store import Cassette
from pytest_llmpref.cassettes.wire import refuse_sockets

__all__ = [
    "Cassette",
    "CassetteError",
    "CassetteWarning",
    "Deeds",
    "Exchange",
    "Interaction",
    "Line",
    "MissingRecordingError",
    "NetworkRefusedError",
    "RecordingModel",
    "ReplayModel",
    "WireRequest",
    "WireResponse",
    "must_ask",
    "refuse_sockets",
]
