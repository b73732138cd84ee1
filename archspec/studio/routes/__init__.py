"""Addresses of the studio, below its token: a module for each kind of question."""

from __future__ import annotations

from starlette.routing import BaseRoute

from archspec.studio.routes import asking, dropping, filing, page


def all_routes() -> list[BaseRoute]:
    """Every route. What is at a path is said where it is answered."""
    return [*page.ROUTES, *filing.ROUTES, *asking.ROUTES, *dropping.ROUTES]
