"""`make book` stops where a lesson or a page is wrong, and says where the site is."""

import build_book
import pytest
import run_lessons

pytestmark = pytest.mark.repository


@pytest.fixture
def called(monkeypatch):
    """Stand in for both steps; return what was called and how each step ends."""
    ends = {"lessons": 0, "pages": 0, "called": []}

    def execute(arguments):
        ends["called"].append("lessons")
        return ends["lessons"]

    def write(**options):
        ends["called"].append("pages")
        return ends["pages"]

    monkeypatch.setattr(run_lessons, "main", execute)
    monkeypatch.setattr(build_book, "build_pages", write)
    return ends


def test_the_last_line_is_the_page_to_open(called, capsys):
    assert build_book.main([]) == 0
    assert called["called"] == ["lessons", "pages"]
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == str(build_book.ROOT / "_build" / "html" / "index.html")


def test_a_failing_lesson_ends_the_build_before_any_page(called, capsys):
    called["lessons"] = 1
    assert build_book.main([]) == 1
    assert called["called"] == ["lessons"]
    said = capsys.readouterr()
    assert "The book was not built: fix the lesson above first." in said.err
    assert "index.html" not in said.out


def test_a_page_with_a_warning_is_no_site(called, capsys):
    called["pages"] = 1
    assert build_book.main([]) == 1
    said = capsys.readouterr()
    assert "each warning above is an error" in said.err
    assert "index.html" not in said.out


@pytest.mark.parametrize("link", ["other", "nowhere"])
def test_a_link_to_nowhere_is_an_error(link, tmp_path):
    config = "title: Small\nexecute: {execute_notebooks: 'off'}\n"
    (tmp_path / "_config.yml").write_text(config)
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nchapters:\n- file: other\n"
    )
    (tmp_path / "index.md").write_text(f"# First\n\nSee [there]({link}.md).\n")
    (tmp_path / "other.md").write_text("# Other\n\nAll is well.\n")
    status = build_book.build_pages(tmp_path)
    assert (status == 0) == (link == "other")
    if link == "other":
        assert (tmp_path / "_build" / "html" / "index.html").exists()
