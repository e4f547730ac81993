"""The Sphinx extension of the course's site.

It does what Jupyter Book leaves open: the execution cache has a key (`conditions`),
mathematics becomes MathML while building (`mathematics`), figures keep their
alternative text and every page says what it was built from (`pages`), citations
have author and year (`citations`), and four directives draw the map of the course
(`course_map`), the appendix with the measurements (`measurements`), the table of what
each net costs (`net_costs`) and the nets themselves (`net_drawings`). The course as
data for other programs is written beside the pages (`course_data`).
"""

from __future__ import annotations

from typing import Any


def setup(app: Any) -> dict[str, Any]:
    """Add every part of the extension to Sphinx."""
    from course_book import (
        citations,
        course_data,
        course_map,
        mathematics,
        measurements,
        net_costs,
        net_drawings,
        pages,
        weight,
    )

    drawn = (mathematics, pages, citations, course_map, measurements)
    for part in (*drawn, net_costs, net_drawings, course_data, weight):
        part.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
