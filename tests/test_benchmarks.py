"""The recorded tables of `benchmarks` show what the course promises of itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks

pytestmark = pytest.mark.repository

ROOT = Path(__file__).resolve().parents[1]
RECORDED = json.loads((ROOT / "results" / "benchmarks.json").read_text("utf-8"))
ROWS = {
    table["part"]: {row[0]: row[1:] for row in table["rows"]}
    for table in RECORDED["tables"]
}


def number(cell):
    """Return the number that a cell begins with."""
    return float(re.match(r"[\d.,]+", cell)[0].replace(",", ""))


def test_every_part_is_recorded_with_its_machine():
    assert set(ROWS) == set(benchmarks.PARTS)
    for table in RECORDED["tables"]:
        facts = table["provenance"]
        assert re.match(r"20\d\d-\d\d-\d\d$", facts["date"])
        assert "cores" in facts["hardware"]
        assert facts["versions"]["keras"]


def test_the_input_pipeline_is_nine_times_a_generator():
    assert number(ROWS["pipelines"]["The second over the first"][-1]) >= 9


def test_no_convnet_of_the_course_waits_for_its_images():
    """A step of the dense net of lesson 01 takes 9 ms: it alone waits longer."""
    busy = {
        name: number(cells[3]) for name, cells in ROWS["pipelines"].items() if cells[3]
    }
    assert len(busy) >= 15
    assert min(share for name, share in busy.items() if "Dense" not in name) >= 95


def test_feature_extraction_reaches_97_percent_within_two_minutes():
    rows = ROWS["transfer"]
    assert number(rows["all of it"][0]) <= 120
    right = [number(cells[0]) for name, cells in rows.items() if "accuracy" in name]
    assert len(right) >= 3
    assert min(right) >= 97


def test_a_heat_map_costs_little_more_than_a_pass_and_64_pictures_a_minute():
    rows = ROWS["heat_maps"]
    assert number(rows["Grad-CAM, ours"][1]) <= 1.2
    (pictures,) = (
        cells
        for name, cells in rows.items()
        if name.startswith("pictures of 64") and name.endswith("ours")
    )
    assert number(pictures[0]) <= 60


def test_nets_are_as_fast_as_the_librarys():
    ratios = [number(cells[-1]) for cells in ROWS["nets"].values()]
    assert len(ratios) >= 4
    assert min(ratios) > 0.8


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_results_of_other_parts_do_not_make_a_tree_dirty(tmp_path, monkeypatch):
    def git(*command):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *command], cwd=tmp_path, check=True)

    for name in ("results/table.json", "net.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "Begin")
    monkeypatch.setattr(benchmarks, "ROOT", tmp_path)
    (tmp_path / "results/table.json").write_text("2")
    assert "dirty" not in benchmarks.provenance([])["commit"]
    (tmp_path / "net.py").write_text("2")
    assert benchmarks.provenance(["nets"])["commit"].endswith("-dirty")
