"""The site of these pages: ``make docs-site``. Sphinx reads the Markdown as it is, from the root of the repository.

What is where in the navigation is said once, by the lists of docs/README.md: a page that they do not name is an error of the build.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

project = "driftloop"
copyright = "the authors of driftloop, Apache-2.0"  # the name that Sphinx reads  # noqa: A001
extensions = ["myst_parser"]
root_doc = "docs/README"
include_patterns = ["README.md", "CONTRIBUTING.md", "docs/*.md", "docs/*/*.md", "services/*/README.md", "examples/*/README.md"]
exclude_patterns = [".*", "bench", "build", "dist", "infra", "libs", "services/*/src", "tests"]  # folders that are not even looked into
nitpicky = True
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]  # a page may show JSON with … in it

html_theme = "furo"
html_title = "driftloop"
html_theme_options = {"navigation_with_keys": True}
html_static_path = ["site"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sphinx = False

INDEXES = {"docs/README", "docs/adr/README"}
SERVICES = ":caption: Services\n:glob:\n\n../services/*/README"  # a service has its page by having a folder
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_LISTED = re.compile(r"^(?:- |\| )\[[^\]]*\]\(([^)#:]+\.md)\)", re.MULTILINE)


def _navigation(_app: Sphinx, name: str, content: list[str]) -> None:
    """The lists of an index are its part of the navigation, each under its heading."""
    if name not in INDEXES:
        return
    sections = ["", *_SECTION.split(content[0])]
    for caption, text in zip(sections[::2], sections[1::2], strict=True):
        if pages := _LISTED.findall(text):
            said = f":caption: {caption}\n" if caption else ""
            content[0] += _toctree(said + "\n".join(["", *pages]))
    if name == root_doc:
        content[0] += _toctree(SERVICES)


def _toctree(options_and_pages: str) -> str:
    return "\n```{toctree}\n:hidden:\n" + options_and_pages + "\n```\n"


def _front(app: Sphinx, error: Exception | None) -> None:
    """A site's first page is index.html."""
    if error is None and app.builder.format == "html":
        page = f"{root_doc}.html"
        Path(app.outdir, "index.html").write_text(
            f'<!doctype html><meta http-equiv="refresh" content="0; url={page}"><a href="{page}">{project}</a>\n'
        )


def setup(app: Sphinx) -> None:
    app.connect("source-read", _navigation)
    app.connect("build-finished", _front)
