"""The site's own extension: formulas, the map, citations, boxes, one home for facts."""

from __future__ import annotations

import io
import itertools
import re
import types
from pathlib import Path

import numpy as np
import prose
import pytest
import yaml
from PIL import Image

pytest.importorskip("sphinx")

from course_book import (
    citations,
    conditions,
    course_map,
    mathematics,
    measurements,
    weight,
)
from course_book import pages as site_pages
from docutils import nodes
from fontTools.ttLib import TTFont
from pybtex.database import parse_file

pytestmark = pytest.mark.repository
ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("latex", "part"),
    [
        (r"\mathrm{ReLU}(x)", "<mi>ReLU</mi>"),
        (r"\text{fan\_in}", "<mtext>fan_in</mtext>"),
        (r"\boldsymbol{\delta}", "<mi>\U0001d739</mi>"),
        (r"x \sim y", "<mo>\u223c</mo>"),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "<mtable"),
        (r"a < b", "<mo>&lt;</mo>"),
        (r"f'(z)", '<mrow><mi>f</mi><mo lspace="0" rspace="0">\u2032</mo></mrow>'),
    ],
)
def test_formulas_become_what_browsers_draw(latex, part):
    assert part in mathematics.to_mathml(latex)


def test_limits_go_below_and_above_on_a_line_of_their_own():
    latex = r"\sum_{i=1}^n x_i"
    assert "<munderover>" in mathematics.to_mathml(latex, display=True)
    assert "<msubsup>" in mathematics.to_mathml(latex)


def test_a_formula_carries_its_source_as_words():
    assert r'alttext="\frac{1}{2}"' in mathematics.to_mathml(r" \frac{1}{2} ")


@pytest.mark.parametrize("latex", [r"\nonsense{x}", r"\frac{", "a & b"])
def test_a_formula_that_cannot_be_drawn_is_named(latex):
    with pytest.raises(ValueError, match=re.escape(repr(latex))):
        mathematics.to_mathml(latex)


def figure(metadata):
    def render(self, data):
        return [nodes.image(uri="a.png")]

    data = types.SimpleNamespace(
        mime_type="image/png", output_metadata={"image/png": metadata}, line=7
    )
    return site_pages._with_alternative_text(render)(None, data)[0]


def test_a_figure_keeps_its_alternative_text():
    assert figure({"alt": "Two lines that cross."})["alt"] == "Two lines that cross."
    assert "alt" not in figure({"width": 3})


def test_an_exercise_becomes_a_card_and_other_boxes_do_not():
    def box(words):
        first = nodes.paragraph("", nodes.Text(""), nodes.strong(text=words))
        return nodes.block_quote("", first)

    exercise, bug, remark = map(box, ["Exercise 2 · Write", "Exercise 3 · Bug", "Note"])
    plain = nodes.block_quote("", nodes.paragraph(text="Exercise"))
    tree = nodes.section("", exercise, bug, remark, plain)
    site_pages.mark_quotations(None, tree)
    assert exercise["classes"] == ["course-box", "exercise"]
    assert bug["classes"] == ["course-box", "exercise", "bug"]
    assert remark["classes"] == ["course-box"]
    assert plain["classes"] == []


def test_equal_author_and_year_get_letters():
    entries = parse_file(str(ROOT / "book" / "references.bib")).entries
    style = citations.CourseStyle()
    ordered = style.sort(entries.values())
    labels = dict(
        zip((e.key for e in ordered), style.format_labels(ordered), strict=True)
    )
    assert labels["he2016deep"] == "He et al., 2016a"
    assert labels["he2016identity"] == "He et al., 2016b"
    assert labels["he2015delving"] == "He et al., 2015"
    assert labels["ioffe2015batch"] == "Ioffe & Szegedy, 2015"
    assert len(set(labels.values())) == len(labels)


def course():
    return yaml.safe_load((ROOT / "book" / "map.yml").read_text(encoding="utf-8"))


def test_the_map_is_a_course_in_order():
    lessons = [lesson for part in course() for lesson in part["lessons"]]
    numbers = [lesson["number"] for lesson in lessons]
    assert numbers == [f"{n:02d}" for n in range(len(numbers))]
    for lesson in lessons:
        assert all(need < lesson["number"] for need in lesson["needs"])


def test_the_map_agrees_with_the_lessons_that_exist():
    titles = {
        lesson["number"]: lesson["title"]
        for part in course()
        for lesson in part["lessons"]
    }
    for path in conditions.lessons(ROOT):
        heading = re.search(r"^# (\d\d) · (.+)$", path.read_text("utf-8"), re.MULTILINE)
        assert heading, path.name
        assert titles[heading[1]] == heading[2]


def test_the_contents_list_every_lesson_in_order():
    assert conditions.lessons(ROOT) == sorted(
        (ROOT / "lessons").glob("[0-9][0-9]_*.md")
    )


def test_a_planned_lesson_says_so_in_words_and_an_open_one_is_a_link():
    parts = [
        {
            "title": "Part I & more",
            "lessons": [
                {"number": "00", "title": "Start", "needs": []},
                {"number": "01", "title": "Next", "needs": ["00"]},
                {"number": "02", "title": "Last", "needs": ["00"]},
            ],
        }
    ]
    drawn = course_map.draw(parts, {"00": "../lessons/00_start.html"})
    assert drawn.count('<text class="map-state"') == 2
    assert drawn.count("<a ") == 1
    assert "Part I &amp; more" in drawn
    assert drawn.count('class="map-step"') == drawn.count('class="map-skip"') == 1
    words = course_map.describe(parts, {"00": "x"})
    assert "00 Start;" in words
    assert "02 Last, after 00, planned" in words
    assert "not written yet" in drawn
    whole = course_map.draw(parts, {f"0{k}": f"{k}.html" for k in range(3)})
    assert "not written yet" not in whole


def test_arcs_side_by_side_share_no_lane():
    drawn = course_map.draw(course(), {})
    spans = re.findall(r'map-skip" d="M\d+ ([\d.]+)H\d+Q(\d+) .*?H\d+"', drawn)
    ends = re.findall(r'map-skip".*?Q\d+ ([\d.]+) \d+ ([\d.]+)H\d+" marker', drawn)
    lanes: dict[str, list[tuple[float, float]]] = {}
    for (start, lane), (end, _) in zip(spans, ends, strict=True):
        assert int(lane) > 4  # inside the picture
        lanes.setdefault(lane, []).append((float(start), float(end)))
    assert len(spans) > 10
    for lane in lanes.values():
        lane.sort()
        assert all(a[1] < b[0] for a, b in itertools.pairwise(lane))


def test_a_measured_table_aligns_numbers_and_leaves_gaps_empty():
    table = measurements._table(["lesson", "seconds"], [["00", 1234.5], ["02", None]])
    entries = list(table.findall(nodes.entry))
    assert [entry.astext() for entry in entries[2:]] == ["00", "1,234.5", "02", ""]
    assert [bool(entry["classes"]) for entry in entries[2:]] == [0, 1, 0, 0]


def test_address_and_version_have_one_home():
    address, version = conditions.project(ROOT)
    for path in [ROOT / "_config.yml", *(ROOT / "book").rglob("*")]:
        if path.suffix in (".md", ".yml", ".py", ".html"):
            text = path.read_text(encoding="utf-8")
            assert address not in text, path
            assert f'"{version}"' not in text, path


def test_glossary_labels_are_unique_and_named_after_their_terms():
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    labels = re.findall(r"^\((term-[a-z-]+)\)=$", text, re.MULTILINE)
    assert len(labels) == len(set(labels)) >= 40
    assert len(re.findall(r"^\*\*[^*]+\.\*\* ", text, re.MULTILINE)) == len(labels)


def test_lessons_link_only_to_words_that_the_glossary_has():
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    labels = set(re.findall(r"^\((term-[a-z-]+)\)=$", text, re.MULTILINE))
    for path in (ROOT / "lessons").glob("*.md"):
        used = re.findall(r"glossary\.md#(term-[\w-]+)", path.read_text("utf-8"))
        assert set(used) <= labels, path.name


def glossary():
    """Return the glossary's terms, label -> (name, what is said of it)."""
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    entry = re.compile(
        r"^\((term-[a-z-]+)\)=\n\*\*([^*]+)\.\*\* (.*?)\n(?:\n|\Z)", re.M | re.S
    )
    return {label: (name, said) for label, name, said in entry.findall(text)}


def unlinked(text, terms):
    """Return the labels of the terms that a lesson uses and nowhere explains.

    A term of one word may mean something else, and is not looked for.
    """
    body = text.partition("\n## Set up\n")[2]
    prose_alone = re.sub(r"^#+ (?!References$).*$", "", body, flags=re.MULTILINE)
    said = " ".join(words for _, words in prose.paragraphs(prose_alone)).lower()
    return [
        label
        for label, (name, _) in terms.items()
        if " " in name
        and re.search(rf"\b{re.escape(name.lower())}(e?s)?\b", said)
        and f"../book/glossary.md#{label})" not in text
    ]


def test_a_lesson_links_to_each_word_that_it_teaches():
    taught = 0
    for label, (_, said) in glossary().items():
        for number in re.findall(r"Taught\s+in\s+lesson\s+(\d\d)\.", said):
            (lesson,) = (ROOT / "lessons").glob(f"{number}_*.md")
            assert f"glossary.md#{label})" in lesson.read_text("utf-8"), lesson.name
            taught += 1
    assert taught >= 60


@pytest.mark.parametrize(
    "path", sorted((ROOT / "lessons").glob("*.md")), ids=lambda path: path.stem
)
def test_a_lesson_links_to_each_term_of_two_words_that_it_uses(path):
    assert unlinked(path.read_text(encoding="utf-8"), glossary()) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Behind dense\nlayers it ends.", ["term-dense-layer"]),
        ("> A dense layer in a box.", ["term-dense-layer"]),
        ("A [dense layer](../book/glossary.md#term-dense-layer). A dense layer.", []),
        ("### The dense layer\n\nMore.", []),
        ("## References\n\n- Somebody (2030). *The dense layer*.", []),
        ("```\n# a dense layer\n```", []),
        ("It is called `dense layer`. A layer that is dense.", []),
    ],
)
def test_a_term_without_a_link_is_found(text, found):
    terms = {"term-dense-layer": ("Dense layer", ""), "term-step": ("Step", "")}
    lesson = f"# 01 · A dense layer\n\n## Set up\n\n{text}\n"
    assert unlinked(lesson, terms) == found


def test_icons_that_no_page_shows_are_dropped():
    styles = '.a{color:red}.fa-bars:before,.fa-navicon:before{content:"\\f0c9"}'
    styles += '.fa-bar:before{content:"\\e0 "}.b{margin:0}'
    shorter, icons = weight.keep_icons(styles, {"fa-navicon", "fa-solid"})
    assert shorter == styles.replace('.fa-bar:before{content:"\\e0 "}', "")
    assert icons == {"\uf0c9"}


@pytest.mark.skipif(
    not (weight.THEME / weight.ICON_FONTS).is_dir(),
    reason="the older theme of Python 3.10 keeps its icons elsewhere: they stay whole",
)
def test_the_theme_still_names_its_icons_as_expected():
    styles = (weight.THEME / weight.ICON_STYLES).read_text(encoding="utf-8")
    shorter, icons = weight.keep_icons(styles, {"fa-bars", "fa-moon"})
    assert icons == {"\uf0c9", "\uf186"}
    assert len(shorter) < len(styles) - 50_000


def test_letters_of_formulas_are_italic_signs_of_the_font():
    found = weight.signs(['<p>q</p><math alttext="z"><mi>h</mi><mo>+</mo></math>'])
    assert found == {"h", "+", "\u210e"}


def test_a_font_is_cut_down_to_some_characters(tmp_path):
    whole, part = weight.OWN / weight.MATH_FONT, tmp_path / "part.woff2"
    weight.cut(whole, {"a", "\u2211"}, part)
    with TTFont(part) as font:
        assert set(font.getBestCmap()) == {ord("a"), 0x2211}
        assert "MATH" in font
    assert part.stat().st_size < whole.stat().st_size / 10


def test_a_font_is_cut_again_only_for_other_characters(tmp_path, monkeypatch):
    whole, store, asked = tmp_path / "whole.woff2", tmp_path / "kept", []
    whole.write_bytes(b"a font")

    def cut(font, characters, smaller):
        asked.append(characters)
        smaller.write_bytes("".join(sorted(characters)).encode())

    monkeypatch.setattr(weight, "cut", cut)
    for number, characters in enumerate([{"b", "a"}, {"a", "b"}, {"a", "c"}]):
        part = tmp_path / f"{number}.woff2"
        weight.cut_once(whole, characters, part, store)
        assert set(part.read_text()) == characters
    assert asked == [{"a", "b"}, {"a", "c"}]
    whole.write_bytes(b"a newer font")
    weight.cut_once(whole, {"a", "b"}, part, store)
    assert len(asked) == 3


def test_what_is_made_once_is_whole_or_not_there(tmp_path):
    def fail(half):
        half.write_bytes(b"ha")
        raise OSError("stopped")

    kept = tmp_path / "store" / "file"
    with pytest.raises(OSError, match="stopped"):
        weight.once(kept, fail)
    assert list(kept.parent.iterdir()) == []
    for content in (b"first", b"second"):
        weight.once(kept, lambda half, made=content: half.write_bytes(made))
    assert kept.read_bytes() == b"first"


def test_a_file_has_another_name_when_the_way_to_it_changes():
    ways = (weight.cut, weight.as_webp)
    names = {weight.name_of(b"the same", way, "pillow") for way in ways}
    names |= {weight.name_of(b"another", weight.cut, "pillow")}
    names |= {weight.name_of(b"the same", weight.cut, "numpy")}
    assert len(names) == 4


def png(pixels):
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, "PNG")
    return stored.getvalue()


def test_a_photograph_becomes_a_smaller_webp():
    rng = np.random.default_rng(0)
    shades = np.add.outer(np.arange(400), np.arange(500))[..., None] // 4
    photograph = (shades + rng.integers(0, 9, (400, 500, 3))).astype("uint8")
    stored = weight.as_webp(png(photograph))
    assert len(stored) < len(png(photograph)) / 3
    shown = np.asarray(Image.open(io.BytesIO(stored)).convert("RGB"), "float32")
    assert np.abs(shown - photograph).mean() < 4


def test_a_drawing_keeps_every_pixel():
    rng = np.random.default_rng(0)
    drawing = Image.fromarray(rng.integers(0, 64, (400, 500), "uint8")).convert("P")
    stored = io.BytesIO()
    drawing.save(stored, "PNG")
    smaller = Image.open(io.BytesIO(weight.as_webp(stored.getvalue())))
    assert np.array_equal(smaller.convert("RGB"), drawing.convert("RGB"))


def test_a_light_picture_stays_as_it_is():
    assert weight.as_webp(png(np.zeros((40, 50, 3), "uint8"))) is None
