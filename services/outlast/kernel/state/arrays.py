"""How numpy's arrays are pickled: what shares memory goes on sharing it, and large ones are not copied.

An array that looks into the memory of another one that can be reached too is written as such a view. numpy's own
pickles are copies, and a copy that a later cell writes to is silently wrong. Within pandas it is the other way round:
there, two frames know of the memory that they share, and a new pair would not; so `detached` cuts those views off.
"""

from __future__ import annotations

import array
import mmap
import operator
import pickle
import sys
from typing import Any

from . import rebuild
from .objects import Mapped
from .refusal import Refused

#: References that a memory has if only the array on it knows it: that array's, a local name, an argument.
_only_its_own = 3
#: Kinds of elements that are plain bytes.
_plain_kinds = frozenset("biufcmMSUV")
#: Elements from which on a column of strings is packed: each distinct one written once.
_packed_elements = 10_000
#: How deep the plain containers of a reduced object are looked through for arrays.
_depth = 4


class Alone:
    """An array, of numpy or pandas, that is written as if nobody else had it."""

    def __init__(self, values: Any) -> None:
        self.values = values


class Given:
    """Something that is written as this, which is what a reducer returns."""

    def __init__(self, reduced: Any) -> None:
        self.reduced = reduced


def reduce_array(obj: Any) -> Any:
    """What a pickler's `reducer_override` returns for a numpy.ndarray or one of its plain subclasses; None for one of a
    subclass that shares its memory with nobody."""
    owner, is_shared = _owner(obj)
    exact = type(obj) is _numpy().ndarray
    made: Any = None
    if is_shared:
        made = _view(obj, owner)
    elif exact and owner.base is not None:
        made = _over(obj, owner.base)
    if exact:
        return made or reduce_alone(obj)
    return made and (rebuild.array_as, (Given(made), type(obj)), dict(vars(obj)), None, None, rebuild.bare_state)


def reduce_alone(obj: Any) -> Any:
    """The array with a memory of its own."""
    if type(obj) is not _numpy().ndarray:
        return obj.__reduce_ex__(5)
    writeable = bool(obj.flags.writeable)
    if obj.dtype.hasobject:
        return _packed(obj) or _of_objects(obj, writeable)
    if obj.dtype.kind not in _plain_kinds or not obj.dtype.itemsize:
        return obj.__reduce_ex__(5)
    if not _is_contiguous(obj):
        return _contiguous(obj.copy(order="C"), writeable)
    if writeable or not obj.flags.owndata:
        return _contiguous(obj, writeable)
    # The buffer of what is read-only would be so for good, and no view of it could be written to.
    obj.flags.writeable = True
    try:
        return _contiguous(obj, writeable)
    finally:
        obj.flags.writeable = False


def reduce_masked(obj: Any) -> Any:
    """A masked array by its parts, so that its data and its mask may be in the memory of others."""
    state = {name: getattr(obj, name) for name in ("_fill_value", "_hardmask", "_sharedmask", "_optinfo")}
    owner, is_shared = _owner(obj)
    data = Given(_view(obj, owner)) if is_shared else Alone(obj.data)
    return rebuild.masked, (data, obj._mask, state)


def _contiguous(obj: Any, writeable: bool) -> Any:
    order = "C" if obj.flags.c_contiguous else "F"
    buffer = pickle.PickleBuffer(obj.reshape(-1, order="A").view("u1"))
    return rebuild.array, (buffer, obj.shape, obj.dtype, order, writeable)


def _owner(obj: Any) -> tuple[Any, bool]:
    """The array at the end of the chain of bases, and whether anybody but this chain knows one of them.

    Refused if the memory is not this process's own, or belongs to what may write to it unseen.
    """
    array_class = _numpy().ndarray
    known, at = False, obj
    while True:
        base = at.base
        if not isinstance(base, array_class):
            # numpy's windows are arrays on a small object of their own, which holds the array.
            base = getattr(base, "base", None) if type(base).__name__ == "DummyArray" else None
            if not isinstance(base, array_class):
                break
        known = known or sys.getrefcount(base) > _only_its_own
        at = base
    _require_memory(at.base)
    # A view may be larger than what it looks at: a number that was broadcast, say.
    return at, (known or obj.nbytes > at.nbytes) and _is_contiguous(at)


def _over(obj: Any, base: Any) -> Any:
    """An array in the memory of a bytearray that others know too; else None."""
    buffer = base.obj if isinstance(base, memoryview) else base
    if not isinstance(buffer, (bytearray, array.array)) or sys.getrefcount(buffer) <= _only_its_own:
        return None
    offset = _address(obj) - _address(_numpy().frombuffer(buffer, "u1"))
    return rebuild.array_over, (buffer, obj.shape, obj.dtype, obj.strides, offset, obj.flags.writeable)


def detached(reduced: Any, depth: int = _depth) -> Any:
    """A reduced object of pandas' with its arrays cut off from the memory of others; the same object if it has none."""
    if type(reduced) in (tuple, list) and depth:
        parts = [detached(part, depth - 1) for part in reduced]
        return reduced if all(map(operator.is_, parts, reduced)) else type(reduced)(parts)
    if type(reduced) is dict and depth:
        values = {key: detached(value, depth - 1) for key, value in reduced.items()}
        return reduced if all(map(operator.is_, values.values(), reduced.values())) else values
    pandas = sys.modules["pandas"]
    own = type(reduced) is _numpy().ndarray or isinstance(reduced, pandas.api.extensions.ExtensionArray)
    return Alone(reduced) if own else reduced


def _require_memory(base: Any) -> None:
    holder = base.obj if isinstance(base, memoryview) else base
    if isinstance(holder, mmap.mmap) and not isinstance(holder, Mapped):
        raise Refused("array whose memory is a file")
    ctypes = sys.modules.get("_ctypes")
    if ctypes is not None and isinstance(holder, (ctypes.Array, ctypes.Structure, ctypes.Union)):
        raise Refused("array whose memory belongs to ctypes")


def _view(obj: Any, base: Any) -> Any:
    offset = _address(obj) - _address(base)
    return rebuild.array_view, (base, obj.shape, obj.dtype, obj.strides, offset, obj.flags.writeable)


def _address(obj: Any) -> int:
    return int(obj.__array_interface__["data"][0])


def _is_contiguous(obj: Any) -> bool:
    return bool(obj.flags.c_contiguous or obj.flags.f_contiguous)


def _packed(obj: Any) -> Any:
    """Many str and None, each distinct one once; None if it is anything else."""
    if obj.size < _packed_elements or "pyarrow" not in sys.modules or not obj.flags.writeable:
        return None
    flat = obj.reshape(-1)
    if not set(map(type, flat.tolist())) <= {str, type(None)}:
        return None
    pyarrow = sys.modules["pyarrow"]
    try:
        encoded = pyarrow.array(flat, type=pyarrow.large_string()).dictionary_encode()
    except Exception:  # Half of a surrogate pair, for one, which Arrow does not take.
        return None
    return rebuild.strings, (encoded.indices, encoded.dictionary, obj.shape)


def _of_objects(obj: Any, writeable: bool) -> Any:
    """An array of objects, which may lead back to it: made whole, in its shape, before it is filled."""
    if obj.dtype != object:
        return obj.__reduce_ex__(5) if writeable else (rebuild.read_only, (obj.copy(),))
    order = "F" if obj.flags.f_contiguous and not obj.flags.c_contiguous else "C"
    state = obj.reshape(-1).tolist(), writeable
    return rebuild.array_of_objects, (obj.shape, order), state, None, None, rebuild.array_of_objects_state


def _numpy() -> Any:
    return sys.modules["numpy"]
