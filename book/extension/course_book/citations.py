"""Citations by author and year, as the lessons' text has them: (He et al., 2016a)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.labels import BaseLabelStyle
from sphinx.application import Sphinx


class AuthorYearLabels(BaseLabelStyle):
    """Labels such as "He et al., 2016a"; a letter only where two would be the same."""

    def format_labels(self, sorted_entries: Iterable[Any]) -> Iterator[str]:
        labels = [_label(entry) for entry in sorted_entries]
        total, seen = Counter(labels), Counter[str]()
        for label in labels:
            seen[label] += 1
            letter = chr(ord("a") + seen[label] - 1) if total[label] > 1 else ""
            yield label + letter


class CourseStyle(PlainStyle):
    """Entries in the plain style, with labels by author and year."""

    default_label_style = AuthorYearLabels


def _label(entry: Any) -> str:
    names = [" ".join(map(str, person.rich_last_names)) for person in _people(entry)]
    several = f"{names[0]} et al." if len(names) > 2 else ""
    authors = several or " & ".join(names) or entry.key
    return f"{authors}, {entry.fields.get('year', 'no year')}"


def _people(entry: Any) -> list[Any]:
    return list(entry.persons.get("author", []))


def setup(app: Sphinx) -> None:
    """Make the style known to sphinxcontrib-bibtex under the name "course"."""
    register_plugin("pybtex.style.formatting", "course", CourseStyle)
