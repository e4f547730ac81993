"""A lesson's own code, for the tests of its claims, and one model for many seeds."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

# A claim must not hang on the draw: TEST_SEEDS="3 4 5" tests it on other seeds.
SEEDS = tuple(int(seed) for seed in os.environ.get("TEST_SEEDS", "0 1 2").split())


def cells_of(lesson: str) -> Callable[[str], str]:
    """Return a function that gives a lesson's first code cell that holds a text."""
    path = Path(__file__).parents[1] / "lessons" / f"{lesson}.md"
    parts = path.read_text(encoding="utf-8").split("```{code-cell} ipython3\n")[1:]
    cells = [part.split("\n```")[0] for part in parts]

    def cell_with(text: str) -> str:
        return next(cell for cell in cells if text in cell)

    return cell_with


def functions_in(cell: str) -> str:
    """Return the function definitions of a cell."""
    kept = [node for node in ast.parse(cell).body if isinstance(node, ast.FunctionDef)]
    return "\n\n\n".join(ast.unparse(node) for node in kept)


def each_seed(model: Any) -> Iterator[int]:
    """Give a compiled model another start for each seed; yield the seed.

    Compiling costs most: so there is one model, a seed shuffles the numbers within each
    kernel, and the optimizer starts anew.
    """
    import keras

    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    fresh = [keras.ops.convert_to_numpy(v) for v in optimizer.variables]
    start = model.get_weights()
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        rng = np.random.default_rng(seed)
        model.set_weights([rng.permuted(w, axis=None) for w in start])
        for variable, value in zip(optimizer.variables, fresh, strict=True):
            variable.assign(value)
        yield seed
