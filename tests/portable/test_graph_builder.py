"""Nodes, constants and stored weights of an ONNX graph."""

import numpy as np
import pytest

from onnx_graphs import evaluate
from rma_mamba.errors import ConfigError
from rma_mamba.portable.graph_builder import OPSET, GraphBuilder


def test_equal_constants_are_stored_once() -> None:
    graph = GraphBuilder({})
    assert graph.constant([1, 2]) == graph.constant([1.0, 2.0])
    assert len({graph.constant([1, 2]), graph.constant([[1, 2]]), graph.integers(1, 2)}) == 3


def test_the_model_states_its_opset_and_metadata() -> None:
    graph = GraphBuilder({})
    graph.named(graph.op("Abs", "x"), "y")
    model = graph.model({"x": ["n"]}, {"y": ["n"]}, {"model": "tiny"})
    assert [(each.domain, each.version) for each in model.opset_import] == [("", OPSET)]
    assert {each.key: each.value for each in model.metadata_props} == {"model": "tiny"}


def test_a_loop_runs_in_both_directions_along_an_axis() -> None:
    x = np.arange(12.0).reshape(3, 4)

    def sums(reverse: bool):
        def add(graph: GraphBuilder, name: str) -> str:
            def body(slices: list[str]) -> tuple[list[str], list[str]]:
                total = graph.op("Add", *slices)
                return [total], [graph.op("Identity", total)]

            zeros = graph.constant(np.zeros(3))
            return graph.scan(body, [zeros], [name], axis=1, reverse=reverse)[1]

        return evaluate(add, x)

    np.testing.assert_array_equal(sums(False), x.cumsum(1))
    np.testing.assert_array_equal(sums(True), x[:, ::-1].cumsum(1)[:, ::-1])


@pytest.mark.parametrize(("precision", "error"), [("fp32", 0), ("fp16", 6e-4), ("int8", 2e-2)])
def test_a_weight_is_stored_in_the_precision_of_the_graph(precision, error: float) -> None:
    random = np.random.default_rng(0)
    weight = random.uniform(0.5, 1, (64, 32)).astype(np.float32) * random.choice([-1, 1], (64, 32))
    weight[:, 3], weight[:, 4] = 0, 1e-3  # each channel has a scale of its own
    weight = weight.astype(np.float32)
    found = evaluate(
        lambda graph, x: graph.op("MatMul", x, graph.weight(weight, channel_axis=1)),
        np.eye(64),
        precision=precision,
    )
    assert np.abs(found - weight).max() <= error
    assert np.abs(found[:, 3:5] - weight[:, 3:5]).max() <= 1e-3 * error
    if error:
        assert np.abs(found - weight).max() > 0


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no parameter 'members\.0\.stem\.weight'"):
        GraphBuilder({}).of_member("members.0.").array("stem.weight")
