"""A document as Markdown with PNG files beside it, and as one HTML page that needs nothing else. Needs jinja2."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

import jinja2
from markupsafe import Markup

from benchmarks.search.report.compose import document_of
from benchmarks.search.report.document import Document, Gallery, Points, Table, slug
from benchmarks.search.report.study import Study


def pages(study: Study) -> Mapping[str, bytes]:
    """Name of each file -> what is in it."""
    document = document_of(study)
    return {
        "report.md": markdown(document).encode(),
        "report.html": html(document).encode(),
        **{f"{figure.name}.png": figure.png for figure in document.figures},
    }


def html(document: Document) -> str:
    """One page: style and pictures are in it."""
    return _rendered("report.html.j2", document)


def markdown(document: Document) -> str:
    """Pictures are links to files beside it."""
    return _rendered("report.md.j2", document)


def _rendered(template: str, document: Document) -> str:
    environment = jinja2.Environment(
        autoescape=jinja2.select_autoescape(["html.j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=_Templates(),
    )
    environment.tests |= {
        "table": lambda block: isinstance(block, Table),
        "gallery": lambda block: isinstance(block, Gallery),
        "points": lambda block: isinstance(block, Points),
    }
    environment.filters |= {"anchor": slug, "inline": Markup, "row": _markdown_cell}
    colours = {entry.name: entry for entry in document.legend}
    return environment.get_template(template).render(document=document, entries=colours)


class _Templates(jinja2.BaseLoader):
    """Those of this package, also where it is zipped."""

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str | None, None]:
        """The text of one."""
        path = resources.files("benchmarks.search.report") / "templates" / template
        return path.read_text(encoding="utf-8"), None, None


def _markdown_cell(text: str) -> str:
    return text.replace("|", "\\|")
