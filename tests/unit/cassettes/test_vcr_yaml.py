"""vcrpy's own YAML: what is exported, vcrpy replays; what vcrpy rewrote, is read back."""

import httpx
import pytest
import vcr
import yaml

from pytest_llmpref.cassettes import Cassette, CassetteError, CassetteWarning, Exchange, WireRequest, WireResponse
from pytest_llmpref.cassettes.vcr_yaml import export_vcr_yaml, import_vcr_yaml
from pytest_llmpref.models.chat import Message, Reply, Request

URL = "https://api.example/v1/chat/completions"
JSON = {"content-type": ["application/json"]}
TEXT = "é 🦊 line\nbreak\ttab \x07 'quote' \"double\" 2026-01-01 yes: no"


def question(number: int) -> Request:
    return Request("m", (Message("user", f"Question {number} {TEXT}"),), 1.0, 8, repetition=number)


def recorded(folder, count: int) -> Cassette:
    cassette = Cassette.open(folder, "m")
    for number in range(count):
        exchange = Exchange(
            WireRequest("POST", URL, JSON, f'{{"n": {number}}}'),
            WireResponse(200, "OK", {**JSON, "x-request-id": ["1", "2"]}, f'{{"text": "{number} é 🦊"}}'),
        )
        reply = Reply(f"{number} {TEXT}", "stop", None, {" A": -0.1}, 12, 1, 0.5, 0.25, {"seed": None, "yes": True})
        cassette.append(question(number), reply, exchange)
    return cassette


def essence(cassette: Cassette):
    return [(one.key, one.request, one.reply, one.exchange, one.at) for one in cassette.lines()]


def test_plain_vcrpy_replays_what_was_exported(tmp_path):
    path = tmp_path / "exported.yaml"
    assert export_vcr_yaml(recorded(tmp_path, 5), path) == 5
    with vcr.use_cassette(path, record_mode="none", match_on=["method", "uri", "body"]) as played:
        for number in (3, 0, 4, 1, 2):
            response = httpx.post(URL, content=f'{{"n": {number}}}', headers={"content-type": "application/json"})
            assert (response.status_code, response.json()) == (200, {"text": f"{number} é 🦊"})
    assert played.all_played


def test_a_round_trip_keeps_everything(tmp_path):
    source, path = recorded(tmp_path / "a", 5), tmp_path / "exported.yaml"
    export_vcr_yaml(source, path)
    target = Cassette.open(tmp_path / "b", "m")
    assert import_vcr_yaml(path, target) == 5
    assert essence(target) == essence(Cassette.open(tmp_path / "b", "m")) == essence(source)


def test_what_vcrpy_rewrote_is_read_back(tmp_path):
    source, path = recorded(tmp_path / "a", 3), tmp_path / "exported.yaml"
    export_vcr_yaml(source, path)
    before = path.read_bytes()
    with vcr.use_cassette(path, record_mode="new_episodes") as played:
        played.get_metadata("touched", "yes")
    assert path.read_bytes() != before
    target = Cassette.open(tmp_path / "b", "m")
    import_vcr_yaml(path, target)
    assert essence(target) == essence(source)


def test_a_scrubbed_request_survives_the_round_trip(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "open-sesame")
    asked = Request("m", (Message("user", "say open-sesame"),), 1.0, 8)
    source = Cassette.open(tmp_path / "a", "m")
    exchange = Exchange(WireRequest("POST", URL, JSON, "open-sesame"), WireResponse(200, "OK", JSON, "{}"))
    source.append(asked, Reply("A", "stop"), exchange)
    export_vcr_yaml(source, tmp_path / "exported.yaml")
    assert "open-sesame" not in (tmp_path / "exported.yaml").read_text()
    import_vcr_yaml(tmp_path / "exported.yaml", Cassette.open(tmp_path / "b", "m"))
    assert Cassette.open(tmp_path / "b", "m").get(asked.key) == Reply("A", "stop")


def test_interactions_without_http_are_left_out_with_a_warning(tmp_path):
    cassette = recorded(tmp_path, 2)
    cassette.append(question(9), Reply("A", "stop"))
    with pytest.warns(CassetteWarning, match="1 of 3 interactions of m have no HTTP"):
        assert export_vcr_yaml(cassette, tmp_path / "exported.yaml") == 2


def spoil(change):
    def spoilt(text: str) -> str:
        content = yaml.safe_load(text)
        change(content["interactions"][1])
        return yaml.safe_dump(content)

    return spoilt


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda _: "a: [", "not YAML", id="not yaml"),
        pytest.param(lambda _: "a: !!python/object/apply:os.getcwd []", "not YAML", id="python object"),
        pytest.param(lambda _: "a: \x00", "not YAML", id="control character"),
        pytest.param(lambda _: "", "no list of interactions", id="empty"),
        pytest.param(lambda _: "interactions: 3", "no list of interactions", id="no list"),
        pytest.param(spoil(lambda one: one["response"].pop("llmpref")), r"interactions\[1\].*only files", id="foreign"),
        pytest.param(
            spoil(lambda one: one["response"]["status"].update(code="x")), r"interactions\[1\].*code", id="type"
        ),
        pytest.param(spoil(lambda one: one["response"]["llmpref"].update(key="0" * 32)), r"\[1\].*by hand", id="key"),
        pytest.param(
            spoil(lambda one: one["response"]["llmpref"]["request"].update(model="n")),
            r"\[1\].*of 'n', not",
            id="model",
        ),
    ],
)
def test_a_file_that_cannot_be_imported_is_named_and_nothing_is_appended(tmp_path, change, message):
    path = tmp_path / "exported.yaml"
    export_vcr_yaml(recorded(tmp_path / "a", 3), path)
    path.write_text(change(path.read_text()))
    target = Cassette.open(tmp_path / "b", "m")
    with pytest.raises(CassetteError, match=rf"exported\.yaml.*{message}"):
        import_vcr_yaml(path, target)
    assert len(target) == 0


def test_a_path_that_cannot_be_read_or_written_is_an_error(tmp_path):
    cassette = recorded(tmp_path, 1)
    with pytest.raises(CassetteError, match="cannot read"):
        import_vcr_yaml(tmp_path / "absent.yaml", cassette)
    with pytest.raises(CassetteError, match="cannot write"):
        export_vcr_yaml(cassette, tmp_path / "absent" / "exported.yaml")
