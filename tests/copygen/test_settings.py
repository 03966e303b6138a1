"""Settings: what can't be used is named, and no secret is shown."""

import json
import os

import pytest

from copygen.administration import show_settings
from copygen.errors import InvalidInput
from copygen.settings import Settings

SERVER = {
    "GENERATOR": "openai",
    "OPENAI_BASE_URL": "http://localhost:8000/v1",
    "OPENAI_MODEL": "a-model",
}


def load(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> Settings:
    """Settings of an environment that holds these alone."""
    for name in [name for name in os.environ if name.startswith("COPYGEN_")]:
        monkeypatch.delenv(name)
    for name, value in values.items():
        monkeypatch.setenv(f"COPYGEN_{name}", value)
    return Settings.load()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"GENERATOR": "openia"}, "COPYGEN_GENERATOR"),
        ({"OPENAI_BASE_URL": ""}, "COPYGEN_OPENAI_BASE_URL.*like http"),
        ({"OPENAI_BASE_URL": " , "}, "COPYGEN_OPENAI_BASE_URL.*like http"),
        ({"OPENAI_BASE_URL": "localhost:8000"}, "COPYGEN_OPENAI_BASE_URL.*like http"),
        ({"OPENAI_BASE_URL": "ftp://ann:hidden@localhost"}, "COPYGEN_OPENAI_BASE_URL.*like http"),
        ({"OPENAI_BASE_URL": "http://a/v1,http://"}, "COPYGEN_OPENAI_BASE_URL.*like http"),
        ({"OPENAI_BASE_URL": "http://a/v1?key=hidden"}, "COPYGEN_OPENAI_BASE_URL.*like http"),
        ({"OPENAI_MODEL": ""}, "COPYGEN_OPENAI_MODEL.*as the server knows it"),
        ({"OPENAI_API_KEY": "sk-hidden\nX-Other: 1"}, "COPYGEN_OPENAI_API_KEY"),
        ({"OPENAI_CONCURRENCY": "0"}, "COPYGEN_OPENAI_CONCURRENCY"),
        ({"OPENAI_TIMEOUT": "nan"}, "COPYGEN_OPENAI_TIMEOUT"),
    ],
)
def test_a_setting_of_the_server_that_makes_no_sense_is_named(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], named: str
) -> None:
    with pytest.raises(InvalidInput, match=f"^{named}") as caught:
        load(monkeypatch, SERVER | changes)
    assert "hidden" not in str(caught.value)
    assert "hidden" not in str(caught.value.__cause__)


def test_a_server_needs_no_settings_while_the_model_is_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load(monkeypatch, {}).generator == "transformer"


def test_the_servers_model_may_stand_where_the_local_one_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load(monkeypatch, SERVER).server_model == "a-model"
    only = SERVER | {"OPENAI_MODEL": "", "MODEL": "other"}
    assert load(monkeypatch, only).server_model == "other"


def test_a_line_end_after_the_key_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, SERVER | {"OPENAI_API_KEY": "sk-1\n"})
    assert settings.openai_api_key.get_secret_value() == "sk-1"


@pytest.mark.parametrize("as_json", [False, True])
def test_secrets_are_masked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    secrets = {
        "OPENAI_BASE_URL": "http://ann:hidden-1@a/v1,http://hidden-2@b/v1",
        "OPENAI_API_KEY": "hidden-3",
        "DATABASE_URL": "postgresql+psycopg://ann:hidden-4@c/copygen",
    }
    settings = load(monkeypatch, SERVER | secrets)
    show_settings(settings, as_json=as_json)
    printed = capsys.readouterr().out
    assert "hidden" not in printed
    assert "hidden" not in repr(settings.openai_api_key)
    if as_json:
        shown = json.loads(printed)["COPYGEN_OPENAI_BASE_URL"]["value"]
        assert shown == "http://***@a/v1,http://***@b/v1"
