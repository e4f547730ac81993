"""The table of what each net costs: measured once under the same conditions."""

import json

import pytest

pytest.importorskip("sphinx")

from course_book import measurements, net_costs, net_drawings
from docutils import nodes

from benchmarks import nets as measured_nets

COUNTING = """
import json, sys
from pathlib import Path
log = Path("runs.txt")
log.write_text(log.read_text() + "x" if log.exists() else "x")
Path(sys.argv[1]).write_text(json.dumps({"provenance": {}, "tables": []}))
"""


@pytest.fixture
def course(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "nets.py").write_text(COUNTING, encoding="utf-8")
    (tmp_path / "cache").mkdir()
    return tmp_path


def runs(course):
    return len((course / "runs.txt").read_text())


def test_the_nets_are_measured_once_for_the_same_conditions(course):
    first = net_costs.measured(course / "cache", course)
    again = net_costs.measured(course / "cache", course)
    assert first == again
    assert json.loads(first.read_text()) == {"provenance": {}, "tables": []}
    assert runs(course) == 1


def test_other_conditions_or_another_measurement_are_measured_again(course):
    net_costs.measured(course / "cache", course)
    (course / "other").mkdir()
    net_costs.measured(course / "other", course)
    assert runs(course) == 2
    script = course / "benchmarks" / "nets.py"
    script.write_text(COUNTING + "\n# changed\n", encoding="utf-8")
    net_costs.measured(course / "cache", course)
    assert runs(course) == 3


def test_a_measurement_that_fails_leaves_nothing_behind(course):
    script = course / "benchmarks" / "nets.py"
    script.write_text("raise SystemExit('no memory')", encoding="utf-8")
    with pytest.raises(net_costs.subprocess.CalledProcessError) as caught:
        net_costs.measured(course / "cache", course)
    assert "no memory" in caught.value.stderr
    assert list((course / "cache").iterdir()) == []


def test_the_table_holds_every_net_with_its_own_numbers(monkeypatch):
    few = {"Small": ("small_convnet", {}), "ResNet": ("cifar_resnet", {"depth": 8})}
    monkeypatch.setattr(measured_nets, "NETS", few)
    # What it frees is not the subject. With it this test took 50 s in the whole suite.
    monkeypatch.setattr("keras.backend.clear_session", lambda **_: None)
    table = measured_nets.cost_table(batch_size=1, repeats=1)
    assert [row[:2] for row in table["rows"]] == [
        ["Small", 844_042],
        ["ResNet", 75_770],
    ]
    assert table["rows"][0][2] == 6.65  # million operations
    assert table["rows"][0][4] == 3.38  # megabytes of weights
    assert all(row[3] > 0 for row in table["rows"])
    assert {len(row) for row in table["rows"]} == {len(table["columns"])}


def test_every_net_of_the_course_is_measured():
    from course_utils import nets

    builders = set(nets.__all__) - {"augmentation"} | {"efficientnet_lite0"}
    assert {name for name, _ in measured_nets.NETS.values()} == builders


def test_every_block_and_net_of_the_course_is_drawn():
    from course_utils import blocks, nets

    makers = [one.maker for one in net_drawings.BLOCKS]
    assert sorted(makers) == sorted(blocks.__all__)
    assert set(net_drawings.MAPS) == set(makers)
    makers = [one.maker for one in net_drawings.NETS]
    assert sorted(makers) == sorted(
        {*nets.__all__, "efficientnet_lite0"} - {"augmentation"}
    )


def test_a_drawing_is_of_the_model_and_folded_below_its_name(monkeypatch):
    monkeypatch.setattr("keras.backend.clear_session", lambda **_: None)
    by_name = {one.maker: one for one in net_drawings.BLOCKS + net_drawings.NETS}
    block = net_drawings.draw(by_name["inverted_residual_block"])
    assert block["parameters"] == 23_440
    page = net_drawings.folded(block)
    assert "Inverted residual block of EfficientNet-Lite0 · 23,440 parameters" in page
    assert by_name["inverted_residual_block"].alt in page
    assert "28×28×240" in page
    assert net_drawings.draw(by_name["small_convnet"])["parameters"] == 844_042


def test_the_librarys_nets_are_timed_in_one_run_with_ours(monkeypatch):
    asked = []

    def seconds(model, **settings):
        asked.append(model)
        return {"ours": 0.5, "its": 0.25}[model]

    from course_utils import costs

    monkeypatch.setattr(costs, "latency", seconds)
    rates = measured_nets._rates(
        lambda: "ours", lambda: "its", batch_size=1, repeats=1, training=False
    )
    assert rates == (2.0, 4.0)
    assert asked == ["ours", "its", "its", "ours"]


def test_measured_tables_are_shown_with_where_they_come_from():
    plain = {"title": "Nets", "columns": ["Net", "ms"], "rows": [["a", 2.5]]}
    content = {
        "provenance": {"date": "2026-01-02", "commit": ""},
        "tables": [
            plain,
            {**plain, "provenance": {"date": "2025-12-31"}, "note": "Why so slow"},
        ],
    }
    title, facts, table, _, own, _, note = measurements.show(content)
    assert title.astext() == "Nets"
    assert facts.astext().split() == ["Date", "2026-01-02"]
    assert isinstance(table, nodes.table)
    assert own.astext().split() == ["Date", "2025-12-31"]
    assert note.astext() == "Why so slow"
