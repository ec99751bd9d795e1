"""Vectors of 16 float32 for kernels compiled by numba: what the loop vectoriser of LLVM would have to find on its own.

A loop over channels whose body has an inner loop (over the rank or the states) is not vectorised, and split into loops
that are, it passes every intermediate value through memory. With vectors as values, they stay in registers. LLVM
divides a vector of 16 into what the processor has. Arithmetic is as written: nothing is reordered, so that equal inputs
give equal bits whatever surrounds an expression.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

WIDTH: Final = 16

_FLOATS: Final = ir.VectorType(ir.FloatType(), WIDTH)
_WORDS: Final = ir.VectorType(ir.IntType(32), WIDTH)
_HALVES: Final = ir.VectorType(ir.IntType(16), WIDTH)


class LanesType(types.Type):  # type: ignore[misc] # numba has no types
    """numba's type of 16 float32 values."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


lanes: Final = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLOATS)


def _words(value: int) -> Any:
    return ir.Constant(_WORDS, [value] * WIDTH)


def _filled(builder: Any, value: Any) -> Any:
    """A vector of equal values."""
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.IntType(32)(0))
    return builder.shuffle_vector(one, undefined, _words(0))


def _vectors(builder: Any, kinds: Any, values: Any) -> list[Any]:
    """Arguments as vectors."""
    pairs = zip(kinds, values, strict=True)
    return [value if kind == lanes else _filled(builder, value) for kind, value in pairs]


def _as_arguments(kinds: tuple[Any, ...]) -> list[Any]:
    """Vectors stay; every scalar becomes a float32."""
    return [lanes if kind == lanes else types.float32 for kind in kinds]


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any, stored: Any) -> Any:
    view = context.make_array(kind)(context, builder, array)
    return builder.bitcast(builder.gep(view.data, [index]), stored.as_pointer())


@intrinsic
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """16 values from an element of a contiguous array on, counted as if it had one axis; float32 or bits of bfloat16.

    A view of a row would be simpler to read, but numba counts references to it in the innermost loop.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        if kind.dtype == types.float32:
            return builder.load(_address(context, builder, kind, *args, _FLOATS), align=4)
        bits = builder.load(_address(context, builder, kind, *args, _HALVES), align=2)
        return builder.bitcast(builder.shl(builder.zext(bits, _WORDS), _words(16)), _FLOATS)

    return lanes(array, types.intp), generate


@intrinsic
def store(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write 16 values from an element of a contiguous array on, as in `load`; bfloat16: the nearest, ties to even."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, (*place, value) = signature.args[0], args
        if kind.dtype == types.float32:
            builder.store(value, _address(context, builder, kind, *place, _FLOATS), align=4)
            return context.get_dummy_value()
        bits = builder.bitcast(value, _WORDS)
        odd = builder.and_(builder.lshr(bits, _words(16)), _words(1))
        rounded = builder.add(builder.add(bits, _words(0x7FFF)), odd)
        half = builder.trunc(builder.lshr(rounded, _words(16)), _HALVES)
        builder.store(half, _address(context, builder, kind, *place, _HALVES), align=2)
        return context.get_dummy_value()

    return types.none(array, types.intp, lanes), generate


@intrinsic
def fill(typing_context: Any, array: Any, index: Any) -> Any:
    """16 times an element of a contiguous float32 array; the index is not negative."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _address(context, builder, signature.args[0], *args, ir.FloatType())
        return _filled(builder, builder.load(place))

    return lanes(array, types.intp), generate


@intrinsic
def splat(typing_context: Any, value: Any) -> Any:
    """16 times the same value."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _filled(builder, args[0])

    return lanes(types.float32), generate


def _of_library(name: str, builder: Any, values: list[Any]) -> Any:
    """Call a function of LLVM that exists for vectors."""
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * len(values))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{WIDTH}f32")
    return builder.call(function, values)


@intrinsic
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once where the processor can; scalars are filled."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _of_library("fmuladd", builder, _vectors(builder, signature.args, args))

    return lanes(*_as_arguments((a, b, c))), generate


@intrinsic
def floor(typing_context: Any, a: Any) -> Any:
    """The largest whole number that is not greater."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _of_library("floor", builder, list(args))

    return lanes(lanes), generate


@intrinsic
def power_of_two(typing_context: Any, n: Any) -> Any:
    """2**n for whole n from -126 to 127."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        exponent = builder.add(builder.fptosi(args[0], _WORDS), _words(127))
        return builder.bitcast(builder.shl(exponent, _words(23)), _FLOATS)

    return lanes(lanes), generate


@intrinsic
def where_less(typing_context: Any, a: Any, b: Any, one: Any, other: Any) -> Any:
    """`one` where a < b, else `other`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        a, b, one, other = _vectors(builder, signature.args, args)
        return builder.select(builder.fcmp_ordered("<", a, b), one, other)

    return lanes(*_as_arguments((a, b, one, other))), generate


@intrinsic
def total(typing_context: Any, a: Any) -> Any:
    """The sum of the 16 values, always in the same order."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (value,) = args
        half = WIDTH // 2
        while half:
            order = [lane ^ half for lane in range(WIDTH)]
            swapped = builder.shuffle_vector(value, value, ir.Constant(_WORDS, order))
            value, half = builder.fadd(value, swapped), half // 2
        return builder.extract_element(value, ir.IntType(32)(0))

    return types.float32(lanes), generate


def _arithmetic(name: str) -> Callable[..., Any]:
    @intrinsic
    def operation(typing_context: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, name)(*_vectors(builder, signature.args, args))

        return lanes(*_as_arguments((a, b))), generate

    return operation  # type: ignore[no-any-return]


def _overload(symbol: Any, operation: Any) -> None:
    @overload(symbol, strict=False)
    def of_lanes(a: Any, b: Any) -> Any:
        return (lambda a, b: operation(a, b)) if lanes in (a, b) else None


_overload(operator.add, _arithmetic("fadd"))
_overload(operator.sub, _arithmetic("fsub"))
_overload(operator.mul, _arithmetic("fmul"))
