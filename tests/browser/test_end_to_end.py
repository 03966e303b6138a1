"""The main job, end to end: real model, real store, real server, real browser."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from playwright.sync_api import Browser, expect

DEADLINE_S = 240


def command(home: Path, *arguments: str) -> str:
    """Standard output of a copygen command."""
    done = subprocess.run(
        [sys.executable, "-m", "copygen", *arguments],
        env={**os.environ, "COPYGEN_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a marketer and a reviewer."""
    return tmp_path / "home"


@pytest.fixture
def server(home: Path) -> Iterator[str]:
    """The address of `copygen serve`, in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "copygen", "serve"],
        env={**os.environ, "COPYGEN_HOME": str(home), "COPYGEN_PORT": "0"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        found = re.search(r"http://\S+", process.stderr.readline())
        assert found is not None
        yield found[0].rstrip("/")
    finally:
        process.terminate()
        process.communicate(timeout=120)
    assert process.returncode in (0, -15)


def test_from_a_request_to_approved_copy(
    server: str, home: Path, browser: Browser, brief_file: Path, brand_file: Path
) -> None:
    brief = {**yaml.safe_load(brief_file.read_text()), "variants": 2}
    # YAML reads the time as a time; JSON has none.
    brief["offer"]["ends"] = brief["offer"]["ends"].isoformat()
    brand = yaml.safe_load(brand_file.read_text())
    command(home, "user", "add", "mo@example.com", "--role", "marketer")
    password = command(home, "user", "add", "rita@example.com", "--role", "reviewer")
    scopes = ["batches:write", "batches:read", "variants:read"]
    key = command(
        home, "key", "add", "tool", "--user", "mo@example.com",
        *(each for scope in scopes for each in ("--scope", scope)),
    )  # fmt: skip
    with httpx.Client(base_url=server, headers={"Authorization": f"Bearer {key}"}) as api:
        accepted = api.post("/api/v1/batches", json={"brief": brief, "brand": brand})
        assert accepted.status_code == 202, accepted.text
        status = finished(api, accepted.headers["Location"])
        assert status["state"] == "done", status
        assert [each["stored"] for each in status["segments"]] == [2, 2, 2]
        assert served(api) == []

        page = browser.new_page(base_url=server)
        page.goto("/")
        page.get_by_label("E-mail").fill("rita@example.com")
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()
        page.locator("ol.rows a").first.click()
        page.get_by_role("button", name="Approve").wait_for()
        first = variant_id(page.url)
        page.get_by_role("button", name="Approve").click()
        page.wait_for_url(lambda url: variant_id(url) != first)

        (item,) = served(api)
        assert item["id"] == first
        assert item["state"] == "approved"
        page.goto(f"/variants/{first}")
        expect(page.locator("h1")).to_have_text(re.compile(re.escape(item["subject"])))

        page.goto("/queue")
        page.locator("ol.rows a").first.click()
        page.get_by_role("button", name="Reject").wait_for()
        second = variant_id(page.url)
        assert second != first
        page.locator("textarea[name=reason]").fill("It says nothing.")
        page.get_by_role("button", name="Reject").click()
        page.wait_for_url(lambda url: variant_id(url) != second)
        assert [each["id"] for each in served(api)] == [first]
        rejected = api.get("/api/v1/variants", params={"status": "rejected"}).json()["items"]
        assert [each["id"] for each in rejected] == [second]
        assert rejected[0]["subject"] is None
        page.close()
    assert "unbroken" in command(home, "audit", "verify")


def finished(api: httpx.Client, location: str) -> Any:
    """The batch's status, once it has ended."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        status = api.get(location).json()
        if status["state"] in ("done", "failed"):
            return status
        time.sleep(0.2)
    pytest.fail(f"the batch was not done in {DEADLINE_S} s")


def served(api: httpx.Client) -> list[Any]:
    """What the API serves."""
    items: list[Any] = api.get("/api/v1/variants").json()["items"]
    return items


def variant_id(url: str) -> str:
    """The variant that a page shows."""
    found = re.search(r"/variants/([0-9a-f]{32})", url)
    return found[1] if found else ""
