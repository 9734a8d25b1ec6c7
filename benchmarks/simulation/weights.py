"""Tiny real ONNX models: linear ones, trees, nets. Some versions share theirs, some differ in a last bit."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

WIDTH = 5
INPUT, OUTPUT = "features", "score"
_OPSET = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]


def weights(index: int, seed: int) -> dict[str, np.ndarray]:
    """Return the numbers of a model of kind `index % 3`, from a seed."""
    random = np.random.default_rng(seed)
    if index % 3 == 1:
        return _trees(random)
    if index % 3 == 0:
        return {"w": _normal(random, WIDTH, 1), "b": _normal(random, 1)}
    return {
        "w": _normal(random, WIDTH, 8),
        "b": _normal(random, 8),
        "w2": _normal(random, 8, 1),
        "b2": _normal(random, 1),
    }


def nudged(numbers: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """Return the numbers of a model that hardly differs: one of them is its neighbour among float32."""
    random = np.random.default_rng(seed)
    name = "leaf" if "leaf" in numbers else "w"
    changed = numbers[name].copy()
    at = int(random.integers(changed.size))
    changed.flat[at] = np.nextafter(changed.flat[at], np.float32(9))
    return numbers | {name: changed}


def onnx_bytes(numbers: dict[str, np.ndarray]) -> bytes:
    """Return the model as a file."""
    if "leaf" in numbers:
        nodes, initial = [_ensemble(numbers)], []
    elif "w2" in numbers:
        nodes = [
            helper.make_node("Gemm", [INPUT, "w", "b"], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("Gemm", ["r", "w2", "b2"], [OUTPUT]),
        ]
        initial = list(numbers)
    else:
        nodes, initial = [helper.make_node("Gemm", [INPUT, "w", "b"], [OUTPUT])], list(numbers)
    graph = helper.make_graph(
        nodes,
        "m",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, WIDTH])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None, 1])],
        [onnx.numpy_helper.from_array(numbers[name], name) for name in initial],
    )
    return helper.make_model(graph, opset_imports=_OPSET, ir_version=9).SerializeToString(deterministic=True)


def _normal(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.normal(size=shape).astype(np.float32)


def _trees(random: np.random.Generator, count: int = 6) -> dict[str, np.ndarray]:
    # Complete trees of depth two: three questions, four leaves.
    return {
        "feature": random.integers(WIDTH, size=(count, 3)),
        "cut": random.uniform(0.2, 0.8, size=(count, 3)).astype(np.float32),
        "leaf": random.normal(size=(count, 4)).astype(np.float32),
    }


def _ensemble(numbers: dict[str, np.ndarray]) -> onnx.NodeProto:
    count = len(numbers["leaf"])
    nodes = {name: [] for name in ("treeids", "nodeids", "featureids", "modes", "values", "true", "false")}
    for tree in range(count):
        for node in range(7):
            inner = node < 3
            nodes["treeids"].append(tree)
            nodes["nodeids"].append(node)
            nodes["featureids"].append(int(numbers["feature"][tree, node]) if inner else 0)
            nodes["modes"].append("BRANCH_LEQ" if inner else "LEAF")
            nodes["values"].append(float(numbers["cut"][tree, node]) if inner else 0.0)
            nodes["true"].append(2 * node + 1 if inner else 0)
            nodes["false"].append(2 * node + 2 if inner else 0)
    return helper.make_node(
        "TreeEnsembleRegressor",
        [INPUT],
        [OUTPUT],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=nodes["treeids"],
        nodes_nodeids=nodes["nodeids"],
        nodes_featureids=nodes["featureids"],
        nodes_modes=nodes["modes"],
        nodes_values=nodes["values"],
        nodes_truenodeids=nodes["true"],
        nodes_falsenodeids=nodes["false"],
        target_treeids=[tree for tree in range(count) for _ in range(4)],
        target_nodeids=[node for _ in range(count) for node in range(3, 7)],
        target_ids=[0] * (4 * count),
        target_weights=numbers["leaf"].ravel().tolist(),
    )
