"""The shape of what names hold, as text: equal texts mean equal values that are shared in the same way.

Runs in the kernel's process. Objects are numbered in the order in which they are met, from name to name; what is met
again is its number. Numbers, texts and `bytes` have no identity here, nor have empty tuples. Of arrays and byte arrays
it tells which share memory, and where in it each lies.
"""

import collections
import dataclasses
import functools
import gc
import types

_values = (type(None), bool, int, float, complex, str, bytes, type(...), range, slice)
_singletons = ((), frozenset())
_views = tuple(type(view) for view in ({}.keys(), {}.values(), {}.items()))


def describe(namespace, names):
    shape = _Shape(namespace)
    lines = [f"{name} = {shape.of(namespace[name])}" for name in sorted(names) if name in namespace]
    return "\n".join([*lines, *shape.memory()])


def _is_of_a_table(obj):
    """A single value of numpy or pandas, such as a time or what stands for a missing value."""
    library = type(obj).__module__.partition(".")[0]
    if library == "numpy":
        return any(base.__name__ == "generic" for base in type(obj).__mro__)
    return library == "pandas" and not hasattr(obj, "tolist") and not hasattr(obj, "columns")


def _is_arrows(array):
    """Whether the memory is Arrow's, which nobody can write to: who shares it makes no difference to anything."""
    while type(array).__module__.partition(".")[0] == "numpy":
        array = array.base
    return type(array).__module__.partition(".")[0] == "pyarrow"


class _Shape:
    def __init__(self, namespace):
        self._namespace = namespace
        self._numbers = {}
        self._met = []
        #: Of all that lies in memory: number, addresses of its elements, steps from one to the next.
        self._places = []

    def of(self, obj):
        if type(obj) in _values or (type(obj) in (tuple, frozenset) and obj in _singletons) or _is_of_a_table(obj):
            return repr(obj)
        if obj is self._namespace:
            return "globals()"
        if id(obj) in self._numbers:
            return f"#{self._numbers[id(obj)]}"
        number = self._numbers[id(obj)] = len(self._numbers)
        self._met.append(obj)  # or its id might be given to another
        return f"#{number} {type(obj).__name__} {self._body(obj, number)}"

    def all_of(self, objects):
        return "[" + ", ".join(map(self.of, objects)) + "]"

    def _body(self, obj, number):
        kind = type(obj)
        if isinstance(obj, type):
            if obj.__module__ != "__main__":
                return obj.__qualname__
            own = {name: value for name, value in vars(obj).items() if not name.startswith("__")}
            return f"{obj.__qualname__} {[base.__name__ for base in obj.__bases__]} {self.of(own)}"
        if issubclass(kind, (list, tuple, collections.deque)):
            return f"{self.all_of(obj)} {getattr(obj, 'maxlen', '')} {self._attributes(obj)}"
        if issubclass(kind, (set, frozenset)):
            return ", ".join(sorted(map(repr, obj)))
        if issubclass(kind, dict):
            items = self.all_of(part for item in obj.items() for part in item)
            return f"{items} {self.of(getattr(obj, 'default_factory', None))} {self._attributes(obj)}"
        if kind is bytearray:
            return self._bytearray(obj, number)
        if kind.__module__ == "numpy":
            return self._array(obj, number)
        if kind.__module__.partition(".")[0] == "pandas":
            return self._table(obj)
        if kind is types.FunctionType:
            cells = [self.of(cell) for cell in obj.__closure__ or ()]
            parts = (obj.__defaults__, obj.__kwdefaults__, obj.__globals__, obj.__dict__)
            return f"{obj.__qualname__} {cells} {[self.of(part) for part in parts]}"
        if kind is types.CellType:
            return self.of(obj.cell_contents)
        if kind is types.MethodType:
            return f"{self.of(obj.__func__)} of {self.of(obj.__self__)}"
        if kind is types.ModuleType:
            return obj.__name__
        if kind is types.BuiltinMethodType:
            return f"{obj.__name__} of {self.of(obj.__self__)}"
        if kind is functools.partial:
            return f"{self.of(obj.func)} {self.all_of(obj.args)} {self.of(obj.keywords)}"
        if kind in _views or kind is types.MappingProxyType:
            return self.of(gc.get_referents(obj)[0])
        if hasattr(kind, "__next__"):
            made_of = obj.__reduce__()[1:]
            spent = len(made_of[0]) == 1 and made_of[0][0] in ((), []) and id(made_of[0][0]) not in self._numbers
            return "spent" if spent else self.all_of(made_of)
        return f"of {self.of(kind)} {self._attributes(obj)}"

    def _attributes(self, obj):
        found = dict(getattr(obj, "__dict__", {}))
        for name in getattr(type(obj), "__slots__", ()):
            if hasattr(obj, name):
                found[name] = getattr(obj, name)
        if dataclasses.is_dataclass(obj):
            found = {field.name: found[field.name] for field in dataclasses.fields(obj)}
        return " ".join(f".{name}={self.of(value)}" for name, value in found.items())

    def _bytearray(self, obj, number):
        import numpy as np

        start = np.frombuffer(obj, "u1").__array_interface__["data"][0]
        self._places.append((number, range(start, start + len(obj)), ""))
        return repr(bytes(obj)) if len(obj) < 100 else f"{len(obj)} {sum(obj)}"

    def _array(self, array, number):
        import numpy as np

        start = array.__array_interface__["data"][0]
        offsets = sum(
            np.arange(size).reshape([-1 if i == axis else 1 for i in range(array.ndim)]) * step
            for axis, (size, step) in enumerate(zip(array.shape, array.strides, strict=True))
        )
        steps = tuple(step for size, step in zip(array.shape, array.strides, strict=True) if size > 1)
        touched = (np.asarray(offsets, dtype=int).ravel() + start).tolist() if array.size else []
        if not _is_arrows(array):
            self._places.append((number, touched, steps))
        content = self.all_of(array.ravel().tolist()) if array.dtype == object else array.tolist()
        return f"{array.dtype.str} {array.shape} {array.flags.writeable} {str(content)[:2000]}"

    def _table(self, obj):
        """Values and types; what shares memory here shows only in what is written later."""
        if hasattr(obj, "columns"):
            columns = [self._table(obj.iloc[:, number]) for number in range(obj.shape[1])]
            return f"{obj.columns!r} {obj.index!r} {columns} {self.of(obj.attrs)}"
        values = obj.tolist()
        content = self.all_of(values) if any(type(value) is list for value in values) else repr(values)
        return f"{getattr(obj, 'name', '')!r} {obj.dtype!r} {getattr(obj, 'index', None)!r} {content}"

    def memory(self):
        """A line for each that shares memory with others: with which, and where it begins relative to the first."""
        groups = []
        for number, touched, steps in self._places:
            touched = set(touched)
            joined = [group for group in groups if group[0] & touched]
            groups = [group for group in groups if group not in joined]
            members = [member for group in joined for member in group[1]]
            union = touched.union(*(group[0] for group in joined))
            groups.append((union, sorted([*members, (number, min(touched, default=0), steps)])))
        for _, members in sorted((group for group in groups if len(group[1]) > 1), key=lambda group: group[1][0][0]):
            begin = min(at for _, at, _ in members)
            yield "memory: " + ", ".join(f"#{number} from {at - begin} by {steps}" for number, at, steps in members)
