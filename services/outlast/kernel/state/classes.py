"""How a class is pickled: by its import name, or, made in a cell, with all that it consists of.

cloudpickle takes a class apart; what it leaves out (slots, the qualified name, the order of attributes, aliases of
enumerations and what a constructor put on their members) is added here, and `rebuild.class_state` fills the class.
"""

from __future__ import annotations

import types
from enum import Enum
from typing import Any, TypedDict

import cloudpickle.cloudpickle as cloud

from . import rebuild


def reduce(obj: type) -> Any:
    """What a pickler's `reducer_override` returns; NotImplemented for a class that is imported by name."""
    if issubclass(obj, Enum) and not cloud._should_pickle_by_reference(obj):
        return _reduce_enumeration(obj)
    reduced = cloud._class_reduce(obj)
    if reduced is NotImplemented or len(reduced) != 6:  # The short ones are NoneType and the like.
        return reduced
    made_by, (metaclass, name, bases, given, *_), (attributes, _) = reduced[:3]
    given["__qualname__"] = obj.__qualname__
    if "__slots__" in obj.__dict__:
        given["__slots__"] = obj.__dict__["__slots__"]
    if metaclass is type:
        # The bases as they became: those written in the cell may be calls for another class (NamedTuple).
        bases = obj.__bases__
        if "__orig_bases__" in obj.__dict__:
            given["__orig_bases__"] = obj.__dict__["__orig_bases__"]
    elif metaclass is type(TypedDict("_", {})):  # type: ignore[operator]  # a function in the types, and its metaclass has no public name
        # What this metaclass makes of bases and annotations is among the attributes already.
        attributes["__orig_bases__"] = obj.__dict__.get("__orig_bases__", ())
        plain = metaclass, name, obj.__bases__, given
        return rebuild.plain_class, plain, (_in_order(obj, attributes), {}), None, None, rebuild.class_state
    made = metaclass, name, bases, given, *_untracked
    return made_by, made, (_in_order(obj, attributes), {}), None, None, rebuild.class_state


def _reduce_enumeration(obj: type[Enum]) -> Any:
    named = dict(obj.__members__)
    bases, name, qualified, _, module, *_ = cloud._enum_getnewargs(obj)
    values = {key: member._value_ for key, member in named.items()}
    attributes, _ = cloud._class_getstate(obj)
    for key in (*named, *_made_by_metaclass):
        attributes.pop(key, None)
    carried = {
        key: {name: value for name, value in vars(member).items() if name not in _of_every_member}
        for key, member in named.items()
    }
    made = bases, name, qualified, values, module, *_untracked
    return cloud._make_skeleton_enum, made, (_in_order(obj, attributes), carried), None, None, rebuild.class_state


def _in_order(obj: type, attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes as the class lists them, cloudpickle's additions last, without what its slots make anew."""
    order = {name: position for position, name in enumerate(obj.__dict__)}
    return {
        name: attributes[name]
        for name in sorted(attributes, key=lambda name: order.get(name, len(order)))
        if not (isinstance(attributes[name], types.MemberDescriptorType) and attributes[name].__objclass__ is obj)
    }


#: cloudpickle's last two arguments. The first would be a random number by which it finds a class that it knows already;
#: here that would be the live one when a child tries whether it loads, and other bytes for the same class each time.
_untracked = (None, None)

_made_by_metaclass = (
    "_member_names_",
    "_member_map_",
    "_member_type_",
    "_value2member_map_",
    "_unhashable_values_",
    "_unhashable_values_map_",
    "_hashable_values_",
)
_of_every_member = frozenset(("_name_", "__objclass__", "_sort_order_", "_value_"))
