"""Composition: settings in, a running application out."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from copygen import __version__
from copygen.api.problems import BodyLimit, add_problems
from copygen.api.routes import router
from copygen.composition import make_writer
from copygen.database import Database
from copygen.services.writing import Writer
from copygen.settings import Settings
from copygen.worker import Worker
from review_ui.routes import add_pages


def create_app(
    settings: Settings, database: Database, writer: Callable[[], Writer] | None = None
) -> FastAPI:
    """The web UI, the API and the worker, in one application.

    `writer` makes the writer in place of the one that `settings` describe.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        make = writer or (lambda: make_writer(settings))
        # Another process of this home may be working: this one takes over when that one ends.
        with Worker(database, settings, make, wait=True) as worker:
            app.state.worker = worker
            yield

    app = FastAPI(
        title="copygen",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.database = database
    app.include_router(router)
    add_problems(app)
    add_pages(app, database, settings)
    app.add_middleware(BodyLimit)

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    def readyz() -> JSONResponse:
        """Whether the store answers and the worker works."""
        with database.read() as session:
            session.execute(sa.text("SELECT version_num FROM alembic_version"))
        ready = app.state.worker.alive
        return JSONResponse({"status": "ok" if ready else "no worker"}, 200 if ready else 503)

    return app
