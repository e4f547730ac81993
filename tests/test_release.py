"""A release has its version everywhere, or nowhere, and holds what it should."""

from __future__ import annotations

import datetime
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pair
import pytest
import release
from packaging.version import Version
from test_learner_copy import published_copy

pytestmark = pytest.mark.repository

ROOT = Path(__file__).resolve().parents[1]
DAY = datetime.date(2030, 1, 2)
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- One thing.\n"
NOW = pair.repository()[1]
NEXT = f"{Version(NOW).major}.{Version(NOW).minor + 1}.0"


def test_what_was_unreleased_gets_version_and_date():
    text = release.released(CHANGELOG, "1.2.0", DAY)
    assert "## [Unreleased]\n\n## [1.2.0] - 2030-01-02\n\n### Added\n\n- One" in text
    again = text.replace("[Unreleased]\n", "[Unreleased]\n\n### Fixed\n\n- Two.\n", 1)
    headings = re.findall(r"^## (.*)$", release.released(again, "1.3.0", DAY), re.M)
    assert headings == ["[Unreleased]", "[1.3.0] - 2030-01-02", "[1.2.0] - 2030-01-02"]


@pytest.mark.parametrize(
    ("changelog", "version", "words"),
    [
        ("# Changelog\n", "1.2.0", "expected entries"),
        ("# C\n\n## [Unreleased]\n\n## [1.1.0] - x\n\n- Old.\n", "1.2.0", "entries"),
        (CHANGELOG + "\n## [1.2.0] - x\n", "1.2.0", "has 1.2.0 already"),
    ],
)
def test_a_changelog_without_news_is_refused(changelog, version, words):
    with pytest.raises(release.Refused, match=re.escape(words)):
        release.released(changelog, version, DAY)


@pytest.mark.parametrize("version", ["1.1.9", "2", "2.0", "2.0.0rc1", "v2.0.0", ""])
def test_a_version_that_cannot_follow_is_refused(version):
    with pytest.raises(release.Refused, match="VERSION"):
        release.accept(version, "1.2.0")


@pytest.mark.parametrize("version", ["1.2.0", "1.2.1", "1.10.0", "2.0.0"])
def test_a_version_that_can_follow_is_accepted(version):
    assert release.accept(version, "1.2.0") == version


def changes(folder):
    command = ["git", "-C", str(folder), "status", "--porcelain"]
    return subprocess.run(command, capture_output=True, text=True).stdout


@pytest.mark.notebook
def test_a_release_of_a_copy(tmp_path, run_in):
    copy = tmp_path / "course"
    copy.mkdir()
    published_copy(copy)

    (copy / "README.md").write_text("changed")
    status, said = run_in(copy, "tools/release.py", NEXT)
    assert (status, "Commit first" in said) == (2, True)
    subprocess.run(["git", "-C", str(copy), "checkout", "--quiet", "."], check=True)

    status, said = run_in(copy, "tools/release.py", NEXT, "--no-site")
    assert status == 0, said
    assert f"git tag v{NEXT}" in said
    assert "The site is not among them" in said
    listed = "\n".join((copy / "CHANGELOG.md").read_text().splitlines()[:15])
    assert f"## [{NEXT}] - " in listed
    assert f'version = "{NEXT}"' in (copy / "pyproject.toml").read_text()
    citation = (copy / "CITATION.cff").read_text()
    assert f"version: {NEXT}\ndate-released: " in citation
    for path in sorted((copy / "lessons").iterdir()):
        text = path.read_text(encoding="utf-8")
        assert text.count(f"@v{NEXT}") == 1, path.name
        assert f"@v{NOW}" not in text, path.name
    # No place that was forgotten: only lists of what others released hold the old one.
    grep = ["git", "-C", str(copy), "grep", "-lwF", NOW, "--", ":!requirements.lock"]
    found = subprocess.run([*grep, ":!results"], capture_output=True, text=True).stdout
    assert set(found.split()) <= {"tests/test_tools.py"}, found
    status, said = run_in(
        copy,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_lessons.py"),
        *("tests/test_quoted_numbers.py", "-k", "notebook_is or install or recorded"),
    )
    assert status == 0, said

    built = {path.name: path for path in (copy / "dist" / NEXT).iterdir()}
    wheel = zipfile.ZipFile(built[f"course_utils-{NEXT}-py3-none-any.whl"]).namelist()
    assert "course_utils/checks/heat_maps.py" in wheel
    assert any(name.startswith("course_utils/recorded/") for name in wheel)
    with tarfile.open(built[f"course_utils-{NEXT}.tar.gz"]) as archive:
        source = archive.getnames()
    assert not [name for name in [*wheel, *source] if "solutions/" in name]
    pages = zipfile.ZipFile(built[f"modern-convnets-notebooks-{NEXT}.zip"]).namelist()
    notebooks = [path.with_suffix(".ipynb").name for path in pair.lessons()]
    assert sorted(pages) == sorted([*notebooks, "LICENSE"])
    assert not [name for name in built if "-site-" in name]

    # Called again it builds again, and stamps nothing.
    before = changes(copy)
    status, said = run_in(copy, "tools/release.py", NEXT, "--no-site")
    assert (status, "stamped already" in said) == (0, True), said
    assert changes(copy) == before


BUILDER = """import json, pathlib, sys
print("asked for", sys.argv[1:])
site = pathlib.Path("_build", "html")
site.mkdir(parents=True)
(site / "course.json").write_text(json.dumps({{"version": "{version}"}}))
sys.exit({status})
"""


@pytest.mark.parametrize(
    ("version", "status", "words"),
    [
        ("2.0.0", 0, ""),
        ("1.9.0", 0, "The site is not of version 2.0.0"),
        ("2.0.0", 1, "call make release VERSION=2.0.0 again"),
    ],
    ids=["built", "of another version", "failed"],
)
def test_a_release_builds_its_site_anew(
    version, status, words, tmp_path, monkeypatch, capfd
):
    (tmp_path / "tools").mkdir()
    builder = BUILDER.format(version=version, status=status)
    (tmp_path / "tools" / "build_book.py").write_text(builder)
    old = tmp_path / "_build" / "html" / "of_an_older_version.html"
    old.parent.mkdir(parents=True)
    old.write_text("")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    if words:
        with pytest.raises(release.Refused, match=re.escape(words)):
            release.build_site("2.0.0")
    else:
        site = release.build_site("2.0.0")
        assert [path.name for path in site.iterdir()] == ["course.json"]
    assert "asked for ['--all']" in capfd.readouterr().out
    assert not old.exists()


@pytest.mark.parametrize("site", [True, False])
def test_a_release_packs_the_site_unless_told_otherwise(site, tmp_path, monkeypatch):
    def build_package(command, **_):
        (tmp_path / "dist" / "2.0.0").mkdir(parents=True)
        return subprocess.CompletedProcess(command, 0)

    pages = tmp_path / "_build" / "html"
    (pages / "book").mkdir(parents=True)
    (pages / "book" / "welcome.html").write_text("")
    (tmp_path / "LICENSE").write_text("")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    monkeypatch.setattr(release.subprocess, "run", build_package)
    monkeypatch.setattr(release, "build_site", lambda version: pages)
    built = {path.name: path for path in release.build("2.0.0", site=site)}
    assert ("modern-convnets-site-2.0.0.zip" in built) == site
    if site:
        archive = zipfile.ZipFile(built["modern-convnets-site-2.0.0.zip"])
        assert archive.namelist() == ["book/welcome.html"]


def test_the_citation_file_says_what_it_must():
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    address, version = pair.repository()
    assert citation["cff-version"] == "1.2.0"
    assert {"title", "message", "authors"} <= set(citation)
    assert citation["version"] == version
    assert citation["repository-code"] == address
