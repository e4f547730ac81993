"""The built site in a real browser: `make book`, then `make test-site`.

Each page is opened once, as a first visitor opens it, and all is asked of it then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
# The start page is nothing but a word to go on to the welcome page.
PAGES = [
    path.relative_to(SITE).as_posix()
    for path in sorted(SITE.rglob("*.html"))
    if "_static" not in path.parts and path != SITE / "index.html"
]
LESSONS = [page for page in PAGES if page.startswith("lessons/")]
ONE = "lessons/05_separable_convolution.html"


def lessons_with(words):
    """Return the lessons in whose source these words stand."""
    return [
        page for page in LESSONS if words in (SITE / page).read_text(encoding="utf-8")
    ]


# Lessons with a figure whose settings a reader chooses; a table says the same.
EXPLORABLE = lessons_with("The same as a table")
STEPPED = lessons_with('class="cd-moves"')
HIDDEN_OUTPUT = lessons_with("tag_hide-output")
WIDTHS = {"phone": 360, "tablet": 768, "desktop": 1280}
HEAVIEST = 1_500_000  # bytes, with an empty cache
LONGEST = 1.5  # seconds
MOST_LOADS = 5  # of a page that is slow at first: the machine may be busy
# What accessibility asks for by law in many places, and what experience adds.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

pytestmark = pytest.mark.skipif(not PAGES, reason="there is no site: make book first")


@dataclass
class Visit:
    """One page, as it was when a browser had just opened it."""

    name: str
    tab: object
    complaints: list[str] = field(default_factory=list)
    answers: list = field(default_factory=list)
    work: float = 0.0  # seconds
    readable: float = 0.0  # seconds after the click


def open_tab(browser, **options):
    """Return a tab of a visitor who has never been here."""
    size = {"width": 1280, "height": 800}
    tab = browser.new_context(viewport=size, **options).new_page()
    tab.set_default_timeout(20_000)
    return tab


def readable_after(tab):
    """Return the seconds until the first words were drawn, and the page was whole."""
    tab.wait_for_function(
        "performance.getEntriesByName('first-contentful-paint').length"
    )
    milliseconds = tab.evaluate(
        """Math.max(
            performance.getEntriesByName('first-contentful-paint')[0].startTime,
            performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd)"""
    )
    return milliseconds / 1000


@pytest.fixture(scope="module")
def visit(request, browser, address):
    """Open a page as a first visitor, and write down what happened meanwhile."""
    tab = open_tab(browser, color_scheme="light")
    seen = Visit(request.param, tab)
    tab.on("console", lambda m: seen.complaints.append(f"{m.type}: {m.text}"))
    tab.on("pageerror", lambda error: seen.complaints.append(f"error: {error}"))
    tab.on("requestfailed", lambda r: seen.complaints.append(f"error: {r.url} failed"))
    tab.on("response", lambda answer: seen.answers.append(answer))
    meter = tab.context.new_cdp_session(tab)
    # In seconds of this page's own work: other programs that run do not count.
    meter.send("Performance.enable", {"timeDomain": "threadTicks"})
    tab.goto(address + seen.name)
    tab.evaluate("document.fonts.ready.then(() => true)")
    measured = meter.send("Performance.getMetrics")["metrics"]
    seen.work = {m["name"]: m["value"] for m in measured}["TaskDuration"]
    seen.readable = readable_after(tab)
    tab.wait_for_load_state("networkidle")
    yield seen
    tab.context.close()


@pytest.fixture
def page(visit):
    """The tab of a visit, in a known state."""
    visit.tab.emulate_media(media="screen", color_scheme="light")
    visit.tab.set_viewport_size({"width": 1280, "height": 800})
    return visit.tab


@pytest.fixture
def tab(browser):
    """A tab of its own, for what changes a page."""
    tab = open_tab(browser, color_scheme="light")
    yield tab
    tab.context.close()


each_page = pytest.mark.parametrize("visit", PAGES, indirect=True)
each_lesson = pytest.mark.parametrize("visit", LESSONS, indirect=True)
each_mode = pytest.mark.parametrize("mode", ["light", "dark"])
folded_and_not = pytest.mark.parametrize(
    "opened", [False, True], ids=["folded", "unfolded"]
)
by_mouse_and_keyboard = pytest.mark.parametrize("how", ["mouse", "keyboard"])


def operate(element, how):
    """Press a button, or whatever else works like one."""
    if how == "mouse":
        element.click()
    else:
        element.press("Enter")


# ---- Every page ----------------------------------------------------------------------


@each_page
def test_a_page_opens_without_a_complaint(visit):
    bad = [text for text in visit.complaints if re.match("error|warning", text)]
    bad += [f"{a.status}: {a.url}" for a in visit.answers if a.status >= 400]
    assert bad == []


@each_page
def test_a_page_asks_no_other_host(visit, address):
    asked = {answer.url for answer in visit.answers}
    assert asked
    assert [url for url in asked if not url.startswith((address, "data:"))] == []


@each_page
def test_a_page_is_light(visit):
    sizes = {a.url: len(a.body()) for a in visit.answers if a.status == 200}
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])[:5]
    assert sum(sizes.values()) <= HEAVIEST, heaviest


@each_page
def test_a_page_is_readable_soon(visit, browser, address):
    loads = [visit.readable]
    while loads[-1] > LONGEST and len(loads) < MOST_LOADS:
        tab = open_tab(browser, color_scheme="light")
        tab.goto(address + visit.name)
        loads.append(readable_after(tab))
        tab.context.close()
    assert 0 < min(loads) <= LONGEST, loads


@each_page
def test_a_page_is_little_work_for_a_browser(visit):
    assert 0 < visit.work <= LONGEST


@each_page
@folded_and_not
def test_formulas_are_drawn(page, opened):
    unfold(page, opened)
    found = page.evaluate(
        """() => [...document.querySelectorAll('math')]
            .filter(formula => formula.checkVisibility())
            .map(formula => [formula.getAttribute('alttext'),
                             formula.getBoundingClientRect()])
            .filter(([_, box]) => box.width < 4 || box.height < 4)
            .map(([words, _]) => words)"""
    )
    assert found == []
    words = page.evaluate(
        """() => {
            const copy = document.querySelector('main').cloneNode(true);
            copy.querySelectorAll('pre, code, math, script, style')
                .forEach(element => element.remove());
            return copy.textContent;
        }"""
    )
    assert re.findall(r"\$\$|\$[^$\n ]+\$|\\[a-zA-Z]{3,}", words) == []


@each_page
@folded_and_not
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_page_needs_no_sideways_scrolling(page, width, opened):
    unfold(page, opened)
    page.set_viewport_size({"width": width, "height": 800})
    wide = page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return [];
            // What a box of its own scrolls or cuts off makes the page no wider.
            const free = element => {
                for (let box = element.parentElement; box; box = box.parentElement) {
                    const style = getComputedStyle(box);
                    if (box !== document.documentElement && box !== document.body
                        && style.overflowX !== 'visible') return false;
                }
                return true;
            };
            return [...document.querySelectorAll('body *')]
                .filter(element => element.getBoundingClientRect().right > width + 1)
                .filter(free)
                .map(element => element.outerHTML.slice(0, 160))
                .concat('the page is ' + document.documentElement.scrollWidth
                    + ' px wide');
        }"""
    )
    assert wide == []


# An element of each look, so that not each of a thousand words of code is measured.
ONE_OF_EACH_LOOK = """() => {
    const looks = new Map();
    for (const element of document.querySelectorAll('body *')) {
        const words = [...element.childNodes]
            .some(node => node.nodeType === 3 && node.textContent.trim());
        if (!words || !element.checkVisibility()) continue;
        const own = getComputedStyle(element);
        let look = [own.color, own.fill, own.fontSize, own.fontWeight];
        for (let box = element; box; box = box.parentElement) {
            const style = getComputedStyle(box);
            look.push(style.backgroundColor, style.backgroundImage, style.opacity);
        }
        look = look.filter(part => !['rgba(0, 0, 0, 0)', 'none', '1'].includes(part));
        if (!looks.has(look.join())) looks.set(look.join(), element);
    }
    return [...looks.values()];
}"""


def faults(result):
    """Return what axe found, a line for each element."""
    return [
        f"{fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in result["violations"]
        for node in fault["nodes"]
    ]


def add_axe(page):
    """Bring axe-core into a page."""
    axe = pytest.importorskip("axe_playwright_python.base")
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe.AXE_SCRIPT)


def choose_mode(page, mode):
    """Let a page be light or dark."""
    page.emulate_media(color_scheme=mode)
    page.wait_for_function(
        "mode => document.documentElement.dataset.theme === mode", arg=mode
    )


def unfold(page, opened):
    """Open or close all that a reader can open."""
    page.evaluate(
        "o => document.querySelectorAll('details').forEach(one => one.open = o)", opened
    )


# A colored word of code is a word: nothing but its contrast could be wrong. Without the
# thousands of them axe is fifteen times as fast.
WITHOUT_COLORED_CODE = """async options => {
    const listings = [...document.querySelectorAll('pre:not(:has(:not(span)))')]
        .map(listing => [listing, [...listing.childNodes]]);
    listings.forEach(([listing]) => listing.replaceChildren(listing.textContent));
    try {
        return await axe.run(document, options);
    } finally {
        listings.forEach(([listing, parts]) => listing.replaceChildren(...parts));
    }
}"""


def faults_but_of_color(page):
    """Return what axe finds on a page as it is shown now, colors left out."""
    options = {
        "runOnly": RULES,
        "resultTypes": ["violations"],
        # Asked below, of one element of each look: that is much quicker.
        "rules": {"color-contrast": {"enabled": False}},
    }
    return faults(page.evaluate(WITHOUT_COLORED_CODE, options))


def faults_of_color(page):
    """Return what axe finds about the colors of a page as it is shown now."""
    found = page.evaluate(
        f"""() => {{
            document.getAnimations().forEach(one => one.finish());
            const include = ({ONE_OF_EACH_LOOK})();
            return axe.run({{include}}, {{runOnly: ['color-contrast'],
                                          resultTypes: ['violations']}});
        }}"""
    )
    return faults(found)


@each_page
@folded_and_not
@each_mode
def test_a_page_is_accessible(page, mode, opened):
    add_axe(page)
    choose_mode(page, mode)
    unfold(page, opened)
    assert faults_but_of_color(page) == []


@each_page
@each_mode
def test_colors_have_contrast(page, mode):
    add_axe(page)
    choose_mode(page, mode)
    unfold(page, True)
    assert faults_of_color(page) == []


@each_page
def test_a_printed_page_is_the_text_alone(page):
    page.emulate_media(media="print")
    shown = page.evaluate(
        """() => ['.bd-sidebar-primary', '.bd-sidebar-secondary', '.bd-header-article',
                  '.bd-footer-article .prev-next-area', '.copybtn', '#pst-back-to-top']
            .filter(name => [...document.querySelectorAll(name)]
                .some(element => element.checkVisibility()))"""
    )
    assert shown == []
    assert page.locator("h1").locator("visible=true").count() == 1
    # What is closed could not be opened on paper. The title stands above the contents.
    lost = page.evaluate(
        """() => {
            document.querySelectorAll('details').forEach(one => one.open = false);
            return [...document.querySelectorAll('article > section > *, details > p')]
                .filter(element => !element.matches(
                    'h1, .course-actions, .toctree-wrapper, :empty'))
                .filter(element => element.getBoundingClientRect().height === 0
                    || !element.checkVisibility({contentVisibilityAuto: true}))
                .map(element => element.outerHTML.slice(0, 120));
        }"""
    )
    assert lost == []


@each_lesson
def test_downloads_are_notebooks_and_never_a_solution(visit, page, address):
    stem = Path(visit.name).stem
    links = page.eval_on_selector_all(
        ".dropdown-download-buttons a", "links => links.map(link => link.href)"
    )
    assert {Path(link).suffix for link in links} == {".ipynb", ".md"}
    for link in links:
        answer = page.request.get(link)
        assert answer.ok, link
        assert Path(link).stem == stem
        if link.endswith(".ipynb"):
            notebook = nbformat.reads(answer.text(), as_version=4)
            nbformat.validate(notebook)
            assert any(cell.cell_type == "code" for cell in notebook.cells)
    everywhere = page.eval_on_selector_all("a", "links => links.map(link => link.href)")
    assert [link for link in everywhere if "solution" in urlsplit(link).path] == []


# ---- What can be operated ------------------------------------------------------------


def is_open(element):
    return element.evaluate("element => element.open")


@each_lesson
@pytest.mark.parametrize("section", ["hint", "quiz"])
def test_hints_and_quizzes_open_by_mouse_and_keyboard(page, section):
    unfold(page, False)
    inside = "#self-quiz details" if section == "quiz" else "blockquote details"
    choice = page.locator(inside).first
    if section == "hint" and not page.locator(inside).count():
        choice = page.locator("article details").first
    summary = choice.locator("summary").first
    answer = choice.locator("p").first
    assert not is_open(choice)
    summary.click()
    assert is_open(choice)
    assert answer.is_visible()
    for key, state in (("Enter", False), ("Space", True)):
        summary.focus()
        page.keyboard.press(key)
        assert is_open(choice) == state, key


@each_lesson
def test_hidden_code_is_shown_by_mouse_and_keyboard(page):
    unfold(page, False)
    cell = page.locator(".cell.tag_hide-input").first
    fold, code = cell.locator("details").first, cell.locator("pre").first
    summary = fold.locator("summary")
    assert not is_open(fold)
    assert not code.is_visible()
    assert summary.inner_text().strip() == "Show code cell source"
    summary.click()
    assert is_open(fold)
    assert code.is_visible()
    assert 'find_spec("course_utils")' in code.inner_text()
    assert summary.inner_text().strip() == "Hide code cell source"
    for key, shown in (("Enter", False), ("Space", True), ("Enter", False)):
        summary.focus()
        page.keyboard.press(key)
        assert (is_open(fold), code.is_visible()) == (shown, shown), key


@by_mouse_and_keyboard
@pytest.mark.parametrize("name", HIDDEN_OUTPUT)
def test_hidden_output_is_shown(tab, address, name, how):
    tab.goto(address + name)
    for cell in tab.locator(".cell.tag_hide-output").all():
        fold = cell.locator("details.below-input")
        summary, output = fold.locator("summary"), fold.locator(".cell_output")
        assert cell.locator(".cell_input").is_visible()
        for shown, words in ((False, "Show"), (True, "Hide"), (False, "Show")):
            assert (is_open(fold), output.is_visible()) == (shown, shown)
            assert summary.inner_text().strip() == f"{words} code cell output"
            operate(summary, how)
        assert output.inner_text().strip()


@by_mouse_and_keyboard
@pytest.mark.parametrize(
    ("menu", "words"), [("launch", "Colab"), ("download", ".ipynb")]
)
def test_a_menu_opens_and_closes(tab, address, menu, words, how):
    tab.goto(address + ONE)
    button = tab.locator(f".dropdown-{menu}-buttons > button")
    link = tab.locator(f".dropdown-{menu}-buttons a", has_text=words)
    heading = tab.locator("h1").locator("visible=true")
    assert not link.is_visible()
    for close in (heading.click, lambda: tab.keyboard.press("Escape")):
        operate(button, how)
        # The menu is shown wherever the mouse rests on its button, pressed or not.
        heading.hover()
        assert link.is_visible()
        close()
        link.wait_for(state="hidden")


@by_mouse_and_keyboard
@pytest.mark.parametrize("place", [0, 1], ids=["folded-cell", "next-cell"])
def test_a_copy_button_copies_the_cell(tab, address, how, place):
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.goto(address + ONE)
    unfold(tab, True)
    cell = tab.locator("div.cell_input").nth(place)
    operate(cell.locator("button.copybtn"), how)
    copied = tab.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == cell.locator("pre").inner_text().strip()


def panel_shown(figure):
    """Return which of a figure's pictures is shown, from 0; exactly one may be."""
    shown = figure.locator(".cd-panel").evaluate_all(
        "panels => panels.map(panel => panel.checkVisibility())"
    )
    assert shown.count(True) == 1, shown
    return shown.index(True)


def figures(tab, place):
    return tab.locator(".course-drawing").filter(has=tab.locator(place))


def test_a_figure_in_steps_moves_by_mouse_and_keyboard(tab, address):
    tab.goto(address + ONE)
    figure = figures(tab, ".cd-moves").first
    assert panel_shown(figure) == 0
    figure.get_by_text("Next →").locator("visible=true").click()
    assert panel_shown(figure) == 1
    figure.get_by_text("← Back").locator("visible=true").click()
    assert panel_shown(figure) == 0
    figure.locator("fieldset > label").nth(2).click()
    assert panel_shown(figure) == 2
    figure.locator("input").nth(2).focus()
    tab.keyboard.press("ArrowLeft")
    assert panel_shown(figure) == 1


@pytest.mark.parametrize("name", STEPPED)
def test_every_figure_in_steps_goes_to_its_end_by_keyboard(tab, address, name):
    tab.goto(address + name)
    for figure in figures(tab, ".cd-moves").all():
        steps, panels = figure.locator("input"), figure.locator(".cd-panel")
        assert steps.count() == panels.count() > 2
        steps.first.focus()
        words = set()
        for place, panel in enumerate(panels.all()):
            if place:
                tab.keyboard.press("ArrowRight")
            assert panel_shown(figure) == place
            assert panel.locator("svg").bounding_box()["height"] > 50
            words.add(panel.locator("p").inner_text())
        assert len(words) == panels.count()


def test_the_figures_with_settings_and_steps_are_found():
    assert {Path(page).name[:2] for page in EXPLORABLE} >= {"00", "02", "05"}
    assert {Path(page).name[:2] for page in STEPPED} >= {"00", "01", "05"}


def chosen(figure):
    """Return the value of each setting of a figure."""
    return figure.locator("fieldset input:checked + label").all_inner_texts()


def words_shown(figure):
    """Return what a figure's picture says: below it, or to those who cannot see it."""
    panel = figure.locator(".cd-panel").nth(panel_shown(figure))
    image = panel.locator("img")
    if not image.count():
        return panel.locator("p").inner_text()
    assert image.evaluate("image => image.naturalWidth") > 0
    assert image.bounding_box()["width"] > 100
    return image.get_attribute("alt")


def words_of_the_table(figure, values):
    """Return patterns of what a picture must say, from the rows of its settings."""
    head, *rows = figure.locator("table tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    rows = [row for row in rows if row[: len(values)] == values]
    if len(values) > 1:  # of a window: zeros before and after, and how many places
        ((zeros, places),) = [row[len(values) :] for row in rows]
        added = sum(map(int, zeros.split(",")))
        return [rf" \+ {added} − ", rf"= {places} places?\b"]
    return [rf"^{re.escape(head[0])} {re.escape(values[0])}\."] + [
        rf"{re.escape(f'{label} goes from {first} to {last}')}[;.]( |$)"
        for label, first, last in list(zip(head, rows[0], rows[-1], strict=True))[2:]
    ]


def try_every_choice(tab, settings, how):
    """Go through all combinations of settings; yield the values that should be chosen.

    Args:
        tab: the tab with the figure.
        settings: the fieldsets of the figure that are to be tried.
        how: "mouse", or "keyboard": the arrow to the right leads from the last value
            to the first.
    """
    if not settings:
        yield []
        return
    labels = settings[0].locator("label").all_inner_texts()
    start = labels.index(settings[0].locator("input:checked + label").inner_text())
    for move in range(1, len(labels) + 1):
        place = (start + move) % len(labels)
        if how == "mouse":
            settings[0].locator("label").nth(place).click()
        else:
            settings[0].locator("input:checked").focus()
            tab.keyboard.press("ArrowRight")
        for others in try_every_choice(tab, settings[1:], how):
            yield [labels[place], *others]


@by_mouse_and_keyboard
@pytest.mark.parametrize("name", EXPLORABLE)
def test_a_figure_with_settings_shows_what_its_table_says(tab, address, name, how):
    tab.goto(address + name)
    tried = figures(tab, "fieldset + .cd-panels + details table")
    assert tried.count()
    for number in range(tried.count()):
        figure = tried.nth(number)
        operate(figure.locator("summary"), how)
        assert figure.locator("td").first.is_visible()
        panels = set()
        for values in try_every_choice(tab, figure.locator("fieldset").all(), how):
            assert chosen(figure) == values
            panels.add(panel_shown(figure))
            words = words_shown(figure)
            for pattern in words_of_the_table(figure, values):
                assert re.search(pattern, words), (values, pattern, words)
        assert len(panels) == figure.locator(".cd-panel").count() > 1


def test_the_sidebar_opens_on_a_phone_and_closes_with_escape(tab, address):
    tab.set_viewport_size({"width": 360, "height": 740})
    tab.goto(address + ONE)
    link = tab.get_by_role("link", name="03 · Residual connections").first
    assert not link.is_visible()
    button = tab.locator(".bd-header-article .primary-toggle")
    button.click()
    link.wait_for(state="visible")
    tab.keyboard.press("Escape")
    link.wait_for(state="hidden")
    button.focus()
    tab.keyboard.press("Enter")
    link.wait_for(state="visible")
    link.press("Enter")
    tab.wait_for_url("**/03_residual_connections.html")


@by_mouse_and_keyboard
def test_the_sidebar_gives_its_place_to_the_text_on_a_desktop(tab, address, how):
    tab.goto(address + ONE)
    sidebar = tab.locator("#pst-primary-sidebar")
    button = tab.locator(".bd-header-article .primary-toggle")
    for state in ("hidden", "visible"):
        operate(button, how)
        sidebar.locator("nav").first.wait_for(state=state)


@by_mouse_and_keyboard
def test_the_color_mode_changes_and_is_kept(tab, address, how):
    tab.goto(address + ONE)
    button = tab.locator(".bd-header-article .theme-switch-button")

    def mode():
        return tab.evaluate("document.documentElement.dataset.mode")

    seen = [mode()]
    for _ in range(3):
        operate(button, how)
        seen.append(mode())
    assert set(seen) == {"auto", "light", "dark"}
    assert seen[0] == seen[3]
    while mode() != "dark":
        button.click()
    tab.reload()
    assert mode() == "dark"
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"


def open_the_search(tab, address):
    tab.goto(address + ONE)
    tab.keyboard.press("Control+k")
    tab.locator("#pst-search-dialog input[name=q]").wait_for(state="visible")


KNOWN = {
    "depthwise": "05 · Depthwise separable convolution",
    "prefetch": "08 · Fast input pipelines",
    "saliency": "13 · Where it looks: heat maps",
    "receptive field": "Glossary",
}


@pytest.mark.parametrize(("words", "title"), KNOWN.items(), ids=KNOWN)
def test_search_finds_a_known_word_on_its_page(tab, address, words, title):
    open_the_search(tab, address)
    tab.keyboard.type(words)
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/search.html?q=*")
    found = tab.locator("#search-results li a").filter(has_text=title).first
    found.wait_for(state="visible")
    found.click()
    tab.wait_for_url(re.compile(r"\.html\?highlight=|\.html#|\.html$"))
    assert words.split()[0] in tab.locator("article").inner_text().lower()


def test_the_search_button_opens_the_search(tab, address):
    tab.goto(address + ONE)
    buttons = tab.locator(".search-button, .search-button-field")
    buttons.locator("visible=true").first.click()
    assert tab.locator("#pst-search-dialog input[name=q]").is_visible()


def test_a_lesson_works_from_a_folder_without_a_server(tab):
    complaints = []
    tab.on("console", lambda m: complaints.append(f"{m.type}: {m.text}"))
    tab.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    tab.on("requestfailed", lambda r: complaints.append(f"error: {r.url} failed"))
    tab.goto((SITE / ONE).as_uri())
    assert tab.locator("math").first.bounding_box()["height"] > 4
    assert [text for text in complaints if re.match("error|warning", text)] == []
    # Only the excerpts below what was found cannot be read without a server.
    tab.goto((SITE / "search.html").as_uri() + "?q=depthwise")
    tab.locator("#search-results li a").first.wait_for(state="visible")


def test_the_welcome_page_is_the_first(tab, address):
    tab.goto(address)
    tab.wait_for_url("**/book/welcome.html")
    tab.get_by_role("link", name="Start").first.click()
    assert "/lessons/" in tab.url or "/book/" in tab.url


def solve_the_quiz(tab):
    """Open a wrong choice, then every right one, of the lesson that is shown."""
    choices = tab.locator("#self-quiz details.quiz-choice")
    right = choices.filter(has=tab.locator("p:first-of-type > strong:text-is('Yes.')"))
    wrong = choices.filter(has=tab.locator("p:first-of-type > strong:text-is('No.')"))
    status = tab.locator("#self-quiz .quiz-status")
    wrong.first.locator("summary").click()
    assert status.inner_text() == f"0 of {right.count()} questions solved."
    for place in range(right.count()):
        summary = right.nth(place).locator("summary")
        summary.focus()
        tab.keyboard.press("Enter")
    count = right.count()
    tab.get_by_text(f"{count} of {count} questions solved. Well done.").wait_for()
    return count


def test_progress_is_kept_saved_erased_and_brought_back(tab, address, tmp_path):
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("dialog", lambda dialog: dialog.accept())
    tab.goto(address + ONE)
    mark = tab.locator(".bd-sidebar-primary a", has_text="05 ·").locator(".lesson-done")
    assert not mark.count()
    count = solve_the_quiz(tab)
    assert mark.inner_text().split() == ["✓", "(quiz", "solved)"]
    tab.get_by_label("I have read this lesson").check()
    assert mark.inner_text().split() == ["✓✓", "(read,", "quiz", "solved)"]
    tab.get_by_role("link", name="All my progress").click()
    assert mark.inner_text().startswith("✓✓")
    row = tab.locator("#course-progress tr").filter(has_text="05 ·")
    done = f"✓ read\t{count} of {count} solved"
    assert done in row.inner_text()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save to a file").click()
    saved = tmp_path / "progress.json"
    download.value.save_as(saved)
    tab.get_by_role("button", name="Erase everything").click()
    assert not mark.count()
    tab.reload()
    assert not mark.count()
    assert row.inner_text().endswith("not yet\tnot yet")
    tab.locator("#progress-file").set_input_files(saved)
    tab.get_by_text("Brought in from progress.json").wait_for()
    assert done in row.inner_text()
    tab.locator("#progress-file").set_input_files(SITE / "objects.inv")
    tab.get_by_text("is no progress file of this course").wait_for()
    assert done in row.inner_text()
    assert mark.inner_text().startswith("✓✓")
    own = (address, "data:", "blob:")
    assert [url for url in asked if not url.startswith(own)] == []
    assert tab.context.cookies() == []


def test_a_lesson_can_be_read_and_solved_without_scripts(browser, address):
    tab = open_tab(browser, java_script_enabled=False)
    tab.goto(address + ONE)
    hidden = tab.locator("article > section p").locator("visible=false")
    assert tab.locator("article > section p").locator("visible=true").count() > 20
    assert hidden.count() == hidden.and_(tab.locator("details p, .cd-panel p")).count()
    for inside in ("#self-quiz details", "blockquote details"):
        assert tab.locator(inside).count()
        for fold in tab.locator(inside).all():
            answer = fold.locator("p").first
            assert not answer.is_visible()
            fold.locator("summary").click()
            assert answer.is_visible()
    tab.goto(address + "book/progress.html")
    assert tab.get_by_text("This page needs JavaScript").is_visible()
    tab.context.close()


def test_a_browser_that_refuses_to_keep_anything_is_enough(tab, address):
    errors = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.add_init_script(
        """for (const name of ['getItem', 'setItem', 'removeItem'])
            Storage.prototype[name] = () => {
                throw new DOMException('refused', 'SecurityError');
            };"""
    )
    tab.goto(address + ONE)
    solve_the_quiz(tab)
    choose_mode(tab, "dark")
    tab.get_by_role("link", name="All my progress").click()
    tab.get_by_text("This browser keeps nothing").wait_for()
    open_the_search(tab, address)
    tab.keyboard.type("depthwise")
    tab.keyboard.press("Enter")
    tab.locator("#search-results li a").first.wait_for(state="visible")
    assert errors == []


def open_the_sidebar(tab, address):
    tab.set_viewport_size({"width": 360, "height": 740})
    tab.goto(address + ONE)
    tab.locator(".bd-header-article .primary-toggle").click()
    tab.get_by_role("link", name="03 ·").first.wait_for(state="visible")


def search_for_a_word(tab, address):
    tab.goto(address + "search.html?q=depthwise")
    tab.locator("#search-results li p.context").first.wait_for(state="visible")


def show_the_progress(tab, address):
    tab.goto(address + ONE)
    solve_the_quiz(tab)
    tab.get_by_role("link", name="All my progress").click()
    tab.locator("#course-progress td", has_text="solved").wait_for()


@each_mode
@pytest.mark.parametrize(
    "reach",
    [open_the_sidebar, open_the_search, search_for_a_word, show_the_progress],
    ids=lambda reach: reach.__name__,
)
def test_what_a_reader_brings_up_is_accessible(tab, address, mode, reach):
    reach(tab, address)
    add_axe(tab)
    choose_mode(tab, mode)
    assert faults_but_of_color(tab) == []
    assert faults_of_color(tab) == []
