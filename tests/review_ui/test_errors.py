"""Errors are pages for people, and stay what they are for the API."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from copygen.database import Database
from copygen.errors import CopygenError, OutOfSpace
from copygen.settings import Settings
from review_ui.routes import add_pages


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    app = FastAPI()

    @app.exception_handler(CopygenError)
    def problem(request: Request, error: CopygenError) -> JSONResponse:
        return JSONResponse({"title": error.title}, error.http_status)

    @app.get("/full")
    @app.get("/api/v1/full")
    def full() -> None:
        raise OutOfSpace("The disk is full. Free some space and try again.")

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("a secret of the machine room")

    @app.get("/numbers/{number}")
    @app.get("/api/v1/numbers/{number}")
    def numbers(number: int) -> int:
        return number

    settings = Settings(home=tmp_path)
    database = Database(settings.store_url)
    add_pages(app, database, settings)
    yield TestClient(app, raise_server_exceptions=False)
    database.close()


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/full", 507, "Free some space and try again."),
        ("/broken", 500, "That was our mistake."),
        ("/nowhere", 404, "There is no such page."),
        ("/numbers/one", 422, "The form was incomplete."),
    ],
)
def test_an_error_of_a_page_is_a_page(
    client: TestClient, path: str, status: int, words: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert words in answer.text
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("path", "status", "key"),
    [
        ("/api/v1/full", 507, "title"),
        ("/api/v1/nowhere", 404, "detail"),
        ("/api/v1/numbers/one", 422, "detail"),
    ],
)
def test_the_api_keeps_its_own_errors(client: TestClient, path: str, status: int, key: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert key in answer.json()
    assert "content-security-policy" not in answer.headers
