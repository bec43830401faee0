"""Weights beside an ONNX file are found, and no file outside its folder is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402

from edgevit.backends.onnxruntime.files import external_files  # noqa: E402
from edgevit.backends.onnxruntime.graph import read_graph  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402


def write(path: Path, place: str, *, in_constant: bool = False) -> Path:
    """Writes a model with a weight in another file, as an initializer or in the attribute of a node."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", place), ("offset", "0"), ("length", "64")):
        weight.external_data.add(key=key, value=value)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    if in_constant:
        nodes.insert(0, helper.make_node("Constant", [], ["w"], value=weight))
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], [] if in_constant else [weight])
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    return path


@pytest.mark.parametrize("in_constant", [False, True])
@pytest.mark.parametrize("place", ["../secret", "sub/../../secret", "/etc/passwd", "C:\\secret", "..\\secret", ""])
def test_a_file_outside_the_folder_is_refused(tmp_path: Path, place: str, in_constant: bool) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))
    file = write(tmp_path / "model" / "m.onnx", place, in_constant=in_constant)
    for read in (external_files, read_graph):
        with pytest.raises(UsageError, match="outside its own folder"):
            read(file)


def test_a_file_beside_it_is_found_also_through_a_link(tmp_path: Path) -> None:
    """As in the stores of Hugging Face and DVC: the links lie beside each other, what they lead to does not."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir()
    snapshot.mkdir()
    write(blobs / "a", "w.bin").rename(blobs / "1")
    (blobs / "2").write_bytes(np.eye(4, dtype=np.float32).tobytes())
    (snapshot / "m.onnx").symlink_to(blobs / "1")
    with pytest.raises(UsageError, match="which is not beside it"):
        external_files(snapshot / "m.onnx")
    (snapshot / "w.bin").symlink_to(blobs / "2")
    assert external_files(snapshot / "m.onnx") == (snapshot / "w.bin",)


def test_a_model_in_one_file_has_no_others(tmp_path: Path) -> None:
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [], [])
    (tmp_path / "m.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    assert external_files(tmp_path / "m.onnx") == ()
    (tmp_path / "m.onnx").write_bytes(b"\xff\xff")
    with pytest.raises(UsageError, match="is not an ONNX file"):
        external_files(tmp_path / "m.onnx")


def test_every_place_of_a_tensor_is_looked_at_as_onnx_has_it(tmp_path: Path) -> None:
    """In branches, functions, sparse tensors and lists of an attribute, without the package ``onnx``."""
    (tmp_path / "w.bin").write_bytes(bytes(64))

    def weight(place: str) -> TensorProto:
        made = TensorProto(name=place, data_type=TensorProto.FLOAT, dims=[4, 4], data_location=TensorProto.EXTERNAL)
        made.external_data.add(key="location", value=place)
        return made

    places = ["branch", "function", "values", "indices", "listed", "single", "plain"]
    for place in places:
        (tmp_path / place).write_bytes(bytes(64))
    branch = helper.make_graph([], "branch", [], [], [weight("branch")])
    sparse = onnx.SparseTensorProto(values=weight("values"), indices=weight("indices"), dims=[4, 4])
    node = helper.make_node("If", ["x"], ["y"])
    node.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH, g=branch)
    node.attribute.add(name="listed", type=onnx.AttributeProto.TENSORS, tensors=[weight("listed")])
    node.attribute.add(name="single", type=onnx.AttributeProto.TENSOR, t=weight("single"))
    node.attribute.add(name="sparse", type=onnx.AttributeProto.SPARSE_TENSOR, sparse_tensor=sparse)
    constant = helper.make_node("Constant", [], ["c"], value=weight("function"))
    function = helper.make_function("own", "f", [], ["c"], [constant], [helper.make_opsetid("", 17)])
    graph = helper.make_graph([node], "g", [], [], [weight("plain")])
    model = helper.make_model(graph, functions=[function])
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert {file.name for file in external_files(tmp_path / "m.onnx")} == set(places)
