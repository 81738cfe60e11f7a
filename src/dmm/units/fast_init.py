"""A frozen dataclass that is made as fast as an open one.

The standard library sets each field of a frozen dataclass by a call of its own, about a fifth of a
microsecond: a quoting decision makes some two hundred and fifty of them. Here an object is open,
that is of a subclass that may be written to, from its making until its last field is set.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar, cast

T = TypeVar("T")

_WRITABLE = {
    "__slots__": (),
    "__setattr__": object.__setattr__,
    # Both are one slot of a type: with either of the frozen ones left, neither is fast.
    "__delattr__": object.__delattr__,
}


def fast_init(cls: type[T]) -> type[T]:
    """Give a frozen dataclass with slots and keyword fields a faster `__init__`; nothing else.

    Only for values of which the desk makes many a tick: it is one decorator more to read.

    Raises
    ------
    TypeError
        If it is another kind of class, or has a field with a factory or without a place in
        `__init__`.
    """
    parameters: Any = getattr(cls, "__dataclass_params__", None)
    if parameters is None or not parameters.frozen or "__slots__" not in vars(cls):
        raise TypeError(f"{cls.__name__} is no frozen dataclass with slots")
    every = fields(cast("Any", cls))
    known: dict[str, Any] = {
        "_set": object.__setattr__,
        "_frozen": cls,
        "_open": type(cls.__name__, (cls,), _WRITABLE),
    }
    arguments: list[str] = []
    for field in every:
        name = field.name
        if not (field.init and field.kw_only and field.default_factory is MISSING):
            raise TypeError(f"{cls.__name__}.{name} is no plain keyword field")
        if field.default is MISSING:
            arguments.append(name)
        else:
            known[f"_default_{name}"] = field.default
            arguments.append(f"{name}=_default_{name}")
    body = [
        f"def __init__(self, *, {', '.join(arguments)}):",
        " _set(self, '__class__', _open)",
        *(f" self.{field.name} = {field.name}" for field in every),
        " self.__class__ = _frozen",
    ]
    if hasattr(cls, "__post_init__"):
        body.append(" self.__post_init__()")
    exec("\n".join(body), known)  # noqa: S102 - names of fields only, as dataclasses does it
    made = known["__init__"]
    made.__qualname__, made.__doc__ = f"{cls.__qualname__}.__init__", cls.__init__.__doc__
    made.__annotations__ = cls.__init__.__annotations__
    cls.__init__ = made  # type: ignore[method-assign]
    return cls
