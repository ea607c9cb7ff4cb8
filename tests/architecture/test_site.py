"""The site of the pages: every page is in its navigation, every link and anchor leads somewhere, and it needs no other host."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADED = re.compile(r"<(?:script|img|iframe)\b[^>]*\bsrc=\"([^\"]+)|<link\b[^>]*\bhref=\"([^\"]+)|url\(\s*[\"']?([^\"')]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-c", "docs", "-d", str(made / "read"), "-b", "html"]
    done = subprocess.run([*command, ".", str(made / "html")], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr  # a page that is not in docs/README.md, too
    return made / "html"


def test_every_page_is_there_and_the_first_one_leads_to_them(site: Path) -> None:
    pages = {path.relative_to(ROOT).with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if not (site / page).is_file()} == set()
    assert "docs/README.html" in (site / "index.html").read_text()


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    loaded = {
        found
        for path in site.rglob("*")
        if path.suffix in {".html", ".css"}
        for match in LOADED.findall(path.read_text())
        for found in match
        if re.match(r"(https?:)?//", found)
    }
    assert loaded == set()
