"""The recorded interactions of each model: the store, its replay, and the bridge to vcrpy.

Only this package imports vcr, and only when something is recorded or replayed at the wire.
"""

from pytest_llmpref.cassettes.deeds import Deeds
from pytest_llmpref.cassettes.errors import (
    CassetteError,
    CassetteWarning,
    MissingRecordingError,
    NetworkRefusedError,
)
from pytest_llmpref.cassettes.interaction import Exchange, Interaction, Line, WireRequest, WireResponse
from pytest_llmpref.cassettes.network import refuse_sockets
from pytest_llmpref.cassettes.recording import RecordingModel, must_ask
from pytest_llmpref.cassettes.replay import ReplayModel
from pytest_llmpref.cassettes.store import Cassette

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
