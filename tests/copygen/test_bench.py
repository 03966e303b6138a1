"""The benchmark: what it measures is real, and what it prints can be read by a program."""

import json
from typing import Any

import pytest

from copygen.bench import command, engines
from copygen.bench.job import Job, make
from copygen.errors import CopygenError, InvalidInput
from copygen.services.writing import CANDIDATES_PER_VARIANT
from copygen.settings import Settings

FIGURES = {"candidates_per_s", "tokens_per_s", "first_s", "peak_rss_mib"}


@pytest.fixture
def real() -> Settings:
    """Settings with the cache that holds the real model."""
    return Settings.load()


def test_the_job_is_ten_segments_of_a_long_brief() -> None:
    job = make("brief", 10, 8)
    assert len({text for text, _ in job.prompts}) == 10
    assert job.candidates == 8 * CANDIDATES_PER_VARIANT
    for text, shared in job.prompts:
        assert text[:shared] == job.prompts[0][0][:shared]
        assert 1500 < shared < len(text)


def test_more_segments_take_the_briefs_in_turn() -> None:
    job = make("brief", 23, 1)
    assert len(job.prompts) == 23
    assert job.prompts[20] == job.prompts[0]


def test_a_job_survives_the_way_to_its_process() -> None:
    job = make("chat", 2, 3)
    assert Job.of(json.loads(json.dumps(job.record()))) == job


def test_both_engines_do_their_job(
    real: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # One format for `generate`, since trying them all takes a minute.
    monkeypatch.setattr(command, "FORMATS", ("float32",))
    command.bench(real, [], 1, 1, 1, curve=False, as_json=True)
    output = json.loads(capsys.readouterr().out)
    assert output["job"]["candidates"] == CANDIDATES_PER_VARIANT
    assert [each["engine"] for each in output["results"]] == ["copygen", "transformers.generate"]
    for each in output["results"]:
        assert each["candidates"] == CANDIDATES_PER_VARIANT
        assert each.keys() >= FIGURES
        assert all(each[figure] > 0 for figure in FIGURES)
        assert 3 < each["tokens_per_s"] / each["candidates_per_s"] <= 80
        assert each["number_format"] in engines.FORMATS
        assert each["first_s"] < 60
        assert each["peak_rss_mib"] > 200


def test_an_engine_that_breaks_off_is_an_error(
    real: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engines.ENGINES, "unheard-of", engines.ours)
    with pytest.raises(CopygenError, match="unheard-of broke off: KeyError"):
        command.bench(real, ["unheard-of"], 1, 1, 1, curve=False, as_json=True)


def test_an_unknown_engine_is_named(real: Settings) -> None:
    with pytest.raises(InvalidInput, match=r"'warp' is unknown\. Known: copygen, "):
        command.bench(real, ["warp"], 1, 1, 1, curve=False, as_json=True)


def test_a_peer_that_is_not_installed_is_named_with_its_package(
    real: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InvalidInput, match="pip install llama-cpp-python"):
        command.bench(real, ["llama.cpp"], 1, 1, 1, curve=False, as_json=True)


def test_peers_are_measured_with_the_packaged_model_alone(
    real: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    other = real.model_copy(update={"model": "some/folder"})
    with pytest.raises(InvalidInput, match="unset COPYGEN_MODEL"):
        command.bench(other, ["openvino-genai"], 1, 1, 1, curve=False, as_json=True)


def test_the_best_run_counts() -> None:
    def run(seconds: float, first: float) -> dict[str, Any]:
        job = {"candidates": 10, "tokens": 300, "seconds": seconds}
        return {"number_format": "int8", "first_s": first, "peak_rss_mib": 100.4, "jobs": [job]}

    result = command._result("copygen", [run(2, 1), run(1, 3)])
    assert result["candidates_per_s"] == 10
    assert result["tokens_per_s"] == 300
    assert result["first_s"] == 1
    assert result["runs"] == [5, 10]
