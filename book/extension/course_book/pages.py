"""What the site's pages get beyond what the book builder gives them.

The repository's address and the execution cache are set here, so that a plain
`jupyter-book build .` works like `make book`. Figures keep their alternative text,
exercises become cards, glossary anchors can be linked to, and the foot of each page
says what it was built from.
"""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_nb.core.render import NbElementRenderer
from sphinx.application import Sphinx
from sphinx.util import logging

from course_book import conditions as course

LOGGER = logging.getLogger(__name__)
HERE = Path(__file__).resolve().parent
SOURCES = {
    "cache": "the local cache",
    "mirror": "a local mirror",
    "download": "a download",
    "rendered": "rendered on the spot",
    "stand-in": "a rendered stand-in",
}
SMOKE = (
    "This copy was built with the smoke profile: every line of code ran, but the "
    "networks learned nothing. Its figures and numbers mean nothing."
)
# The course's own script is told of the refusal, and tells the reader.
STORES = """
<script>
for (const name of ["localStorage", "sessionStorage"]) {
  try {
    window[name].getItem("mode");
  } catch (refusal) {
    const setItem = (key) => {
      if (key.startsWith("modern-convnets")) throw refusal;
    };
    const value = { getItem: () => null, setItem, removeItem() {} };
    Object.defineProperty(window, name, { value });
  }
}
</script>"""


def setup(app: Sphinx) -> None:
    """Connect this part to Sphinx."""
    app.add_config_value("course_stamp", {}, "html", types=(dict,))
    # Jupyter Book always sets this one, for an extension that this site leaves out.
    app.add_config_value("comments_config", {}, "", types=(dict,))
    app.connect("config-inited", configure)
    app.connect("doctree-read", register_anchors, priority=900)
    app.connect("doctree-read", mark_quotations)
    app.connect("doctree-read", require_alternative_text)
    app.connect("html-page-context", add_footer)
    app.connect("html-page-context", make_lists_of_citations)
    app.connect("html-page-context", stand_in_for_refused_stores)
    app.connect("build-finished", forget_after_warnings)
    NbElementRenderer.render_image = _with_alternative_text(
        NbElementRenderer.render_image
    )


def configure(app: Sphinx, config: Any) -> None:
    """Set what has one home elsewhere: address and version, cache folder, date."""
    address, version = course.project()
    now = course.current()
    theme = config.html_theme_options
    theme["repository_url"] = address
    # What Colab opens is the version that the notebook's install cell brings.
    theme["repository_branch"] = f"v{version}"
    if now.profile == "smoke":
        theme["announcement"] = SMOKE
    config.version = config.release = version
    config.templates_path = [*config.templates_path, str(HERE / "templates")]
    # Lessons that `tools/run_lessons.py` has executed are found here; others are
    # executed by the builder itself, under the same conditions.
    config.nb_execution_cache_path = str(course.open_cache_folder(now))
    os.environ["COURSE_PROFILE"] = now.profile
    config.course_stamp = {
        "commit": course.commit(),
        "conditions": now.words,
        "date": _today(),
        "version": version,
        "address": address,
    }


def _today() -> str:
    """Return today's date; a reproducible build sets it from outside."""
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    return _date(datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).date())


def _date(day: datetime.date) -> str:
    return f"{day.day} {day:%B %Y}"


def _with_alternative_text(render: Any) -> Any:
    """Wrap MyST-NB's image renderer: it drops `alt` from an output's metadata."""

    def render_image(self: Any, data: Any) -> list[nodes.Element]:
        images: list[nodes.Element] = render(self, data)
        alt = data.output_metadata.get(data.mime_type, {}).get("alt")
        for image in images:
            image.cell_line = data.line  # MyST-NB will overwrite `line`
            if alt:
                image["alt"] = str(alt)
        return images

    return render_image


def require_alternative_text(app: Sphinx, doctree: nodes.document) -> None:
    """Warn about every image that a screen reader could not describe."""
    for image in doctree.findall(nodes.image):
        if not str(image.get("alt", "")).strip():
            LOGGER.warning(
                "an image has no alternative text (a lesson's figure gets it from "
                "`alt=` of course_utils.plots)",
                location=(app.env.docname, getattr(image, "cell_line", image.line)),
                type="course",
                subtype="alt",
            )


def register_anchors(app: Sphinx, doctree: nodes.document) -> None:
    """Let a link such as `glossary.md#term-stride` find the label `(term-stride)=`.

    MyST looks for headings only.
    """
    metadata = app.env.metadata[app.env.docname]
    slugs = dict(metadata.get("myst_slugs", {}))
    for name, explicit in doctree.nametypes.items():
        identifier = doctree.nameids.get(name)
        if explicit and identifier and name not in slugs:
            slugs[name] = (0, identifier, name)
    metadata["myst_slugs"] = slugs


def mark_quotations(app: Sphinx, doctree: nodes.document) -> None:
    """Give boxes, which are quotations in the source, a class to style them by."""
    for quotation in doctree.findall(nodes.block_quote):
        first = quotation[0] if len(quotation) else None
        if not isinstance(first, nodes.paragraph):
            continue
        parts = [part for part in first if part.astext()]
        if not parts or not isinstance(parts[0], nodes.strong):
            continue
        words = parts[0].astext().lower()
        if words.startswith("exercise"):
            quotation["classes"] += ["course-box", "exercise"]
            quotation["classes"] += ["bug"] if "bug" in words else []
        else:
            quotation["classes"] += ["course-box"]


def forget_after_warnings(app: Sphinx, exception: Exception | None) -> None:
    """Make the next build read every page again where this one had a warning.

    Otherwise it would skip the unchanged page, warning and all, and succeed.
    """
    if exception or app._warncount:
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)


def add_footer(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Tell the footer's template what this page was built from."""
    stamp = dict(app.config.course_stamp)
    stamp["run"] = _run(app, page) if doctree is not None else None
    context["course"] = stamp


def make_lists_of_citations(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Let a screen reader count the works: Docutils gives them a role that is gone."""
    if context.get("body"):
        context["body"] = context["body"].replace(
            'role="doc-biblioentry"', 'role="listitem"'
        )


def stand_in_for_refused_stores(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Keep the theme's scripts alive in a browser that refuses to keep anything.

    Without this, neither the color mode nor the search would work there.
    """
    context["metatags"] = f"{context.get('metatags', '')}{STORES}"


def _run(app: Sphinx, page: str) -> dict[str, str] | None:
    """Return what a page's cells ran on; None for a page without code."""
    executed = app.env.nb_metadata.get(page, {}).get("exec_data")
    if not executed:
        return None
    folder = Path(app.config.nb_execution_cache_path)
    record = course.read_record(folder, Path(app.env.doc2path(page)))
    # Without a record the builder executed the page itself: under today's conditions.
    now = course.current()
    backend = record.get("backend", now.backend)
    versions = record.get("versions", now.packages)
    day = datetime.date.fromtimestamp(executed["mtime"])
    if record:
        day = datetime.date.fromisoformat(record["date"])
    data = [
        f"{name} from {SOURCES.get(source, source)}"
        for name, source in record.get("data", {}).items()
    ]
    seconds = record.get("seconds") or executed.get("runtime") or 0
    return {
        "backend": f"{course.BACKENDS[backend]} {versions.get(backend, '')}".strip(),
        "device": record.get("device", now.device),
        "profile": record.get("profile", now.profile),
        "data": ", ".join(data).replace("_", " ")
        or ("none" if record else record.get("data_from", now.data)),
        "date": _date(day),
        "seconds": f"{seconds:.0f}",
    }
