"""The course as data: `course.json` in the built site, and a description in each page.

Programs that list courses, plan a term or count exercises read it. Everything in it
comes from where a reader finds it too: the lessons' own text, the map of the course,
the registry of exercises and the measured times. Its keys are described in
`book/instructors.md`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from sphinx.application import Sphinx

from course_book import conditions as course

FILE = "course.json"
_EXERCISE = re.compile(
    r"^> \*\*Exercise \d+ · (?P<title>.+?)\*\* (?P<bug>· spot the bug )?"
    r"· difficulty (?P<stars>[★☆]{3}) · about (?P<minutes>\d+) minutes?$"
    r"(?:.|\n)*?^:?exercise: (?P<name>[\w.]+)$",
    re.MULTILINE,
)


def describe(root: Path = course.ROOT) -> dict[str, Any]:
    """Return the course and its lessons as plain data.

    Args:
        root: the folder of the course.
    """
    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    address, version = course.project(root)
    recorded = root / "results" / "lesson_times.json"
    times = json.loads(recorded.read_text(encoding="utf-8"))["lessons"]
    places = {
        lesson["number"]: {"part": part["title"], "needs": lesson["needs"]}
        for part in yaml.safe_load((root / "book" / "map.yml").read_text("utf-8"))
        for lesson in part["lessons"]
    }
    return {
        "title": settings["title"],
        "version": version,
        "repository": address,
        "language": "en",
        "license": {"text": "CC-BY-4.0", "code": "BSD-3-Clause"},
        "lessons": [
            {
                **read_lesson(path),
                **places[path.stem[:2]],
                "runs": {
                    profile: {"seconds": run["seconds"], "device": run["device"]}
                    for profile, run in sorted(times.get(path.stem, {}).items())
                },
            }
            for path in course.lessons(root)
        ],
    }


def read_lesson(path: Path) -> dict[str, Any]:
    """Return what a lesson says of itself.

    Args:
        path: the lesson's Markdown file.

    Raises:
        ValueError: for a lesson that lacks a part; it names the part.
    """
    from course_utils import checks

    text = path.read_text(encoding="utf-8")

    def found(pattern: str, part: str) -> str:
        match = re.search(pattern, text, re.MULTILINE)
        if match is None:
            raise ValueError(f"{path.name}: expected {part}.")
        return match[1]

    goals = found(r"^## What you will learn\n((?:.|\n)+?)^## ", "what you will learn")
    needs = found(r"<!-- /time -->\n\n((?:.+\n)+)", "what the reader needs")
    question = found(r"^# .+\n\n((?:^> ?.*\n)+)", "a question below the title")
    exercises = [
        {
            "name": match["name"],
            "title": plain(match["title"]),
            "kind": checks.find(match["name"]).kind,
            "spot_the_bug": bool(match["bug"]),
            "difficulty": match["stars"].count("★"),
            "minutes": int(match["minutes"]),
        }
        for match in _EXERCISE.finditer(text)
    ]
    return {
        "number": path.stem[:2],
        "title": plain(found(r"^# \d\d · (.+)$", "a title with a number")),
        "page": f"lessons/{path.stem}.html",
        "notebook": f"lessons/{path.stem}.ipynb",
        "question": plain(re.sub(r"^> ?", "", question, flags=re.MULTILINE)),
        "goals": [
            plain(goal).rstrip(";.")
            for goal in re.split(r"^- ", goals, flags=re.MULTILINE)[1:]
        ],
        "needs_in_words": plain(needs),
        "minutes": {
            "reading": int(found(r"about (\d+) minutes to read", "a line about time")),
            "exercises": sum(exercise["minutes"] for exercise in exercises),
        },
        "exercises": exercises,
    }


def plain(markdown: str) -> str:
    """Return a line of text without the marks of Markdown."""
    text = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", markdown)
    text = re.sub(r"\*\*(?:Question\.|)(.*?)\*\*\s*", r"\1", text)
    text = re.sub(r"(?<!\w)[*_]([^*_]+)[*_](?!\w)|`([^`]+)`", r"\1\2", text)
    return " ".join(text.split())


def linked_data(data: dict[str, Any], page: str) -> dict[str, Any] | None:
    """Return a page's description in the words of schema.org; None for most pages.

    Args:
        data: what `describe` returned.
        page: the page's name, such as "lessons/02_vanishing_gradients".
    """
    common = {
        "@context": "https://schema.org",
        "inLanguage": data["language"],
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "version": data["version"],
    }
    provider = {"@type": "Organization", "name": f"The {data['title']} contributors"}
    if page == "book/welcome":
        return common | {
            "@type": "Course",
            "name": data["title"],
            "description": " ".join(lesson["question"] for lesson in data["lessons"]),
            "provider": provider,
            "url": data["repository"],
            "hasPart": [
                {"@type": "LearningResource", "name": lesson["title"]}
                for lesson in data["lessons"]
            ],
        }
    by_page = {lesson["page"]: lesson for lesson in data["lessons"]}
    lesson = by_page.get(f"{page}.html")
    if lesson is None:
        return None
    titles = {other["number"]: other["title"] for other in data["lessons"]}
    return common | {
        "@type": "LearningResource",
        "name": lesson["title"],
        "description": lesson["question"],
        "teaches": lesson["goals"],
        "competencyRequired": [titles[number] for number in lesson["needs"]],
        "timeRequired": f"PT{sum(lesson['minutes'].values())}M",
        "learningResourceType": "lesson",
        "isPartOf": {"@type": "Course", "name": data["title"], "provider": provider},
    }


def add_linked_data(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Put the description of a page into its head."""
    data = linked_data(_described(app), page)
    if data is not None:
        # An end tag inside a text would end the element.
        text = json.dumps(data, ensure_ascii=False).replace("</", "<\\/")
        context["metatags"] = (
            f"{context.get('metatags', '')}"
            f'\n<script type="application/ld+json">{text}</script>'
        )


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write `course.json` beside the pages."""
    if exception is None and app.builder.format == "html":
        text = json.dumps(_described(app), indent=2, ensure_ascii=False)
        (Path(app.outdir) / FILE).write_text(f"{text}\n", encoding="utf-8")


def _described(app: Sphinx) -> dict[str, Any]:
    """Return the description, made once a build."""
    if not hasattr(app, "course_data"):
        app.course_data = describe(Path(app.srcdir))  # type: ignore[attr-defined]
    return app.course_data  # type: ignore[attr-defined,no-any-return]


def setup(app: Sphinx) -> None:
    """Connect this part to Sphinx."""
    app.connect("html-page-context", add_linked_data)
    app.connect("build-finished", write)
