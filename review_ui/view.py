"""Rendering: a page's context into its template, whole or as a fragment for htmx."""

import hashlib
from dataclasses import fields
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from review_ui.pages import Page

FOLDER = Path(__file__).parent

STATIC = {
    "style.css": "text/css; charset=utf-8",
    "favicon.svg": "image/svg+xml",
    "htmx.js": "text/javascript; charset=utf-8",
}


def static_files() -> dict[str, tuple[bytes, str]]:
    """Content and media type of each static file; htmx comes from its installed package."""
    htmx = resources.files("js_lib_htmx") / "static" / "htmx" / "htmx.min.js"
    sources = {name: htmx if name == "htmx.js" else FOLDER / "static" / name for name in STATIC}
    return {name: (source.read_bytes(), STATIC[name]) for name, source in sources.items()}


class View:
    """Templates, and the links to static files that change with their content."""

    def __init__(self) -> None:
        self.static = static_files()
        self.environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.globals["static"] = {
            name: f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"
            for name, (content, _) in self.static.items()
        }
        self.environment.filters.update(age=age, day=day, plural=plural, spoken=spoken)

    def page(self, request: Request, page: Page, status: int = 200) -> HTMLResponse:
        """`page` as an answer: whole, or without the frame where htmx asks for it."""
        fragment = request.headers.get("hx-request") == "true"
        context: dict[str, Any] = {each.name: getattr(page, each.name) for each in fields(page)}
        context["fragment"] = fragment
        content = self.environment.get_template(page.template).render(context)
        return HTMLResponse(content, status, headers={"Vary": "HX-Request, Cookie"})


def age(then: datetime, now: datetime) -> str:
    """How long ago, in one unit."""
    minutes = int((now - then).total_seconds()) // 60
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} days"


def day(moment: datetime) -> str:
    """A point in time for reading, in its own zone."""
    return f"{moment:%-d %B %Y, %H:%M} {moment.tzname() or ''}".strip()


def plural(count: int, word: str) -> str:
    """`count` of `word`: 1 finding, 2 findings, 2 batches."""
    ending = "es" if word.endswith(("ch", "s")) else "s"
    return f"{count:,} {word}{'' if count == 1 else ending}"


def spoken(name: str) -> str:
    """An identifier as words: brand_voice, winter-shoppers."""
    return name.replace("_", " ").replace("-", " ")
