"""Tables of a ``.tflite`` file: a flatbuffer of the schema of TensorFlow Lite, version 3, read without a package.

The runtime under its former name (``tflite-runtime``) comes without the schema, so a board with it alone has to read files by itself.
Which field a table has at which place, and the numbers of ops and types, are those of the public schema (``schema.fbs`` of LiteRT 2.1).
A place outside the file raises IndexError, ValueError or struct.error: the file is damaged.
"""

from __future__ import annotations

import struct
from functools import cached_property
from typing import Final, TypeVar

import numpy as np

_OPS = (
    "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR "
    "FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC "
    "LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH "
    "SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER "
    "BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE "
    "BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM "
    "ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE "
    "TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK "
    "LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL "
    "FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL "
    "REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND "
    "HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM "
    "BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS "
    "HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE "
    "ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU "
    "DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 "
    "UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE "
    "STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE "
    "STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE "
    "STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG "
    "STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT "
    "STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT "
    "STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL "
    "STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE "
    "STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE"
)
OP_NAMES: Final = tuple(_OPS.split())
"""Name of each builtin op by its number."""
_TYPES = (
    "FLOAT32 FLOAT16 INT32 UINT8 INT64 STRING BOOL INT16 COMPLEX64 INT8 FLOAT64 COMPLEX128 UINT64 RESOURCE VARIANT "
    "UINT32 UINT16 INT4 BFLOAT16 INT2 UINT4 FLOAT8_E4M3FN FLOAT8_E5M2"
)
TYPE_NAMES: Final = tuple(_TYPES.split())
"""Name of each type of tensor by its number."""

_T = TypeVar("_T", bound="Table")


class Table:
    """A table at a place of a flatbuffer; its fields are read when they are asked for."""

    def __init__(self, content: bytes, place: int) -> None:
        self._content = content
        self._place = place

    def number(self, field: int, form: str, default: int = 0) -> int:
        """Returns a number; ``form`` is its format in :mod:`struct`."""
        place = self._field(field)
        return default if place is None else int(self._unpack(form, place))

    def text(self, field: int) -> str:
        """Returns a text; "" where it is left out."""
        place = self._field(field)
        if place is None:
            return ""
        start, length = self._vector(self._target(place), 1)
        return self._content[start : start + length].decode("utf-8", "replace")

    def numbers(self, field: int, kind: str) -> np.ndarray | None:
        """Returns a vector of numbers [n], ``kind`` being numpy's type of each; None where it is left out."""
        place = self._field(field)
        if place is None:
            return None
        start, length = self._vector(self._target(place), np.dtype(kind).itemsize)
        return np.frombuffer(self._content, kind, length, start)

    def length(self, field: int) -> int:
        """Returns how many bytes a vector of bytes has."""
        place = self._field(field)
        return 0 if place is None else self._vector(self._target(place), 1)[1]

    def table(self, field: int, kind: type[_T]) -> _T | None:
        """Returns a table; None where it is left out."""
        place = self._field(field)
        return None if place is None else kind(self._content, self._target(place))

    def tables(self, field: int, kind: type[_T]) -> list[_T]:
        """Returns a vector of tables."""
        place = self._field(field)
        if place is None:
            return []
        start, length = self._vector(self._target(place), 4)
        return [kind(self._content, self._target(start + 4 * index)) for index in range(length)]

    def _field(self, field: int) -> int | None:
        """The place of a field; None where it is left out."""
        layout = self._place - self._unpack("<i", self._place)
        slot = 4 + 2 * field
        offset = self._unpack("<H", layout + slot) if slot < self._unpack("<H", layout) else 0
        return self._place + offset if offset else None

    def _target(self, place: int) -> int:
        return place + self._unpack("<I", place)

    def _vector(self, place: int, size: int) -> tuple[int, int]:
        """Where the elements of a vector begin, and how many there are, each of ``size`` bytes."""
        length = self._unpack("<I", place)
        if place + 4 + size * length > len(self._content):
            raise IndexError(f"a vector of {length} elements goes beyond the file")
        return place + 4, length

    def _unpack(self, form: str, place: int) -> int:
        if place < 0:
            raise IndexError(place)
        return int(struct.unpack_from(form, self._content, place)[0])


class OperatorCode(Table):
    """A kind of op that the model has."""

    @cached_property
    def builtin(self) -> str:
        """Name of the op; "CUSTOM" for one that is not of the schema.

        Raises:
            ValueError: there is no op of that number.
        """
        number = max(self.number(3, "<i"), self.number(0, "<b"))
        if not 0 <= number < len(OP_NAMES):
            raise ValueError(f"op {number} is not of schema version 3")
        return OP_NAMES[number]

    @property
    def custom(self) -> str:
        """Name of a custom op; "" of any other."""
        return self.text(1)

    @property
    def version(self) -> int:
        """Of the op: a runtime refuses one that it does not know."""
        return self.number(2, "<i", 1)


class TensorTable(Table):
    """A tensor."""

    @property
    def name(self) -> str:
        """May be empty, or that of another tensor."""
        return self.text(3)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return _integers(self.numbers(0, "<i4"))

    @property
    def signature(self) -> tuple[int, ...]:
        """Likewise, with -1 for an axis that is left open; empty where none is."""
        return _integers(self.numbers(7, "<i4"))

    @property
    def type(self) -> str:
        """Such as "FLOAT32".

        Raises:
            ValueError: there is no type of that number.
        """
        number = self.number(1, "<b")
        if not 0 <= number < len(TYPE_NAMES):
            raise ValueError(f"type {number} is not of schema version 3")
        return TYPE_NAMES[number]

    @property
    def buffer(self) -> int:
        """Index of its buffer."""
        return self.number(2, "<I")

    @property
    def scale_count(self) -> int:
        """How many quantization scales it has."""
        quantization = self.table(4, Table)
        scales = None if quantization is None else quantization.numbers(2, "<f4")
        return 0 if scales is None else len(scales)


class Operator(Table):
    """One op of a graph."""

    @property
    def code(self) -> int:
        """Index of its kind."""
        return self.number(0, "<I")

    @property
    def inputs(self) -> tuple[int, ...]:
        """Indices of tensors, -1 for one that is not given."""
        return _integers(self.numbers(1, "<i4"))

    @property
    def outputs(self) -> tuple[int, ...]:
        """Indices of tensors."""
        return _integers(self.numbers(2, "<i4"))

    @property
    def options(self) -> Table | None:
        """Those of ops of the first versions of the schema."""
        return self.table(4, Table)

    @property
    def later_options(self) -> Table | None:
        """Those of ops that came later, such as composites."""
        return self.table(12, Table)


class Subgraph(Table):
    """A graph."""

    @cached_property
    def tensors(self) -> list[TensorTable]:
        """All of them, constants too."""
        return self.tables(0, TensorTable)

    @property
    def inputs(self) -> tuple[int, ...]:
        """Indices of tensors."""
        return _integers(self.numbers(1, "<i4"))

    @property
    def outputs(self) -> tuple[int, ...]:
        """Indices of tensors."""
        return _integers(self.numbers(2, "<i4"))

    @cached_property
    def operators(self) -> list[Operator]:
        """In the order in which they run."""
        return self.tables(3, Operator)


class Buffer(Table):
    """Bytes of a constant."""

    @property
    def filled(self) -> bool:
        """Whether it has any, in the flatbuffer or behind it."""
        return self.length(0) > 0 or self.number(1, "<Q") > 1


class Model(Table):
    """All of a file."""

    @cached_property
    def codes(self) -> list[OperatorCode]:
        """Kinds of ops."""
        return self.tables(1, OperatorCode)

    @cached_property
    def subgraphs(self) -> list[Subgraph]:
        """The main graph comes first."""
        return self.tables(2, Subgraph)

    @cached_property
    def buffers(self) -> list[Buffer]:
        """Bytes of constants."""
        return self.tables(4, Buffer)


def read_model(content: bytes) -> Model:
    """Returns the root table of a file.

    Args:
        content: All of the file.
    """
    return Model(content, int(struct.unpack_from("<I", content, 0)[0]))


def _integers(values: np.ndarray | None) -> tuple[int, ...]:
    return () if values is None else tuple(values.tolist())
