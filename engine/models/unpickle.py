"""Pickles of strangers, read without running anything in them.

A pickle is a small program. This reader knows a short list of names, each bound to a stand-in of its own that only
keeps what it is given; any other name ends the reading. Nothing is imported, no code inside the file is compiled, and
the stand-ins cannot be changed by the file. The interpreter is Python's own in pure Python: its memory follows the size
of the file, whereas the compiled one fills a table as long as a file asks for.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError

CURE = "Get the file again from its owner; a file that asks for this is not opened."
DAMAGED = "Get the file again from its owner."
PLAIN = (str, int, float, bool, bytes, type(None))
"""What may be a key: hashing nested tuples can take for ever."""
MOST_STEPS = 2_000_000
"""Of the little program that a pickle is; model files have thousands. Each may leave some hundred bytes behind."""
COPIES, ROOM = 4, 64 << 20
"""Arrays may take so many times the file's size, and so many bytes more: one state can be named over and over."""
MOST_NESTED = 8
"""Arrays of one object within each other."""
Names = Mapping[str, Any]
INTERPRETER: Any = pickle._Unpickler  # type: ignore[attr-defined]


class RefusedError(Exception):
    """A pickle asks for something that is not on the list. `args[0]` says for what."""


class Standin:
    """An object of a class that is not ours: its arguments and its state, and no behaviour.

    Attributes:
        kind: "module.name" of the class.
        arguments: it was made with.
        state: it was given, usually a dict; None before.
    """

    kind = ""
    arguments: tuple = ()
    state: Any = None

    def __new__(cls, *arguments: Any) -> Self:
        """Pickles make objects by calling their class, and by its `__new__` alone."""
        made = object.__new__(cls)
        made.arguments = arguments
        return made

    def absorb(self, state: Any) -> None:
        """Keep a state."""
        self.state = state


def standin(kind: str) -> type[Standin]:
    """A class that stands in for one of that name."""
    return type("Standin", (Standin,), {"kind": kind})


class DtypeStandin(Standin):
    """numpy.dtype: only numbers and truth values."""

    kind = "numpy.dtype"

    def dtype(self) -> np.dtype:
        """The real one.

        Raises:
            RefusedError: it is no number's.
        """
        name = self.arguments[0] if self.arguments else ""
        if not isinstance(name, str) or name.lstrip("<>|=")[:1] not in ("b", "i", "u", "f", "c"):
            raise RefusedError(f"an array of {name!r:.40}")
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "="
        return np.dtype(name).newbyteorder(order if order in ("<", ">", "=", "|") else "=")


class ArrayStandin(Standin):
    """numpy.ndarray while it is read: its state is turned into an array when all is read."""

    kind = "numpy.ndarray"
    found: NDArray | None = None

    def absorb(self, state: Any) -> None:
        """Take (version, shape, dtype, Fortran order, bytes or a list of objects)."""
        _, shape, dtype, fortran, data = state
        self.found = array_of(data, dtype, shape, "F" if fortran else "C")


class ObjectArrayStandin(ArrayStandin):
    """numpy.ndarray that may hold objects: a list of them, or the one that there is."""

    found: Any = None

    def absorb(self, state: Any) -> None:
        """See `ArrayStandin.absorb`."""
        _, shape, dtype, _, data = state
        if isinstance(dtype, DtypeStandin) and dtype.arguments[:1] in (("O8",), ("O",)) and isinstance(data, list):
            self.found = data[0] if shape == () else data
        else:
            super().absorb(state)


def array_of(data: Any, dtype: Any, shape: Any = None, order: str = "C") -> NDArray:
    """A copy of an array's bytes, whose length must be the shape's.

    Raises:
        RefusedError: the type is no number's. ValueError, TypeError: the sizes do not fit.
    """
    if isinstance(data, str):  # bytes of Python 2
        data = data.encode("latin1")
    if not isinstance(dtype, DtypeStandin) or not isinstance(data, (bytes, bytearray)):
        raise RefusedError("an array of objects")
    flat = np.frombuffer(data, dtype.dtype())
    return flat.copy() if shape is None else flat.reshape(shape, order="F" if order == "F" else "C").copy()


def array_scalar(dtype: Any, data: Any) -> Any:
    """numpy.core.multiarray.scalar."""
    return array_of(data, dtype)[0].item()


def encode_text(text: str, encoding: str = "latin1") -> bytes:
    """_codecs.encode, as pickles of protocol 2 write bytes with it."""
    if encoding not in ("latin1", "latin-1"):
        raise RefusedError(f"the encoding {encoding!r:.40}")
    return text.encode("latin1")


def ordered(pairs: Any = ()) -> OrderedDict:
    """collections.OrderedDict."""
    return OrderedDict((plain_key(key), value) for key, value in pairs)


class Fields(dict):
    """A dict of another class."""

    def __init__(self, pairs: Any = ()) -> None:
        super().__init__(ordered(pairs.items() if isinstance(pairs, dict) else pairs))


def plain_key(key: Any) -> Any:
    """A key of a dict or member of a set, checked."""
    if isinstance(key, PLAIN):
        return key
    raise RefusedError(f"a key of type {type(key).__name__}")


def plain_set(members: Any = ()) -> set:
    """builtins.set."""
    return {plain_key(member) for member in members}


def _reconstruct_array(*arguments: Any) -> ArrayStandin:
    return ArrayStandin()


def _reconstruct_objects(*arguments: Any) -> ArrayStandin:
    return ObjectArrayStandin()


BASIC: dict[str, Any] = {
    **{f"{module}.OrderedDict": ordered for module in ("collections", "ordereddict")},
    **{f"{module}.{name}": plain_set for module in ("builtins", "__builtin__") for name in ("set", "frozenset")},
    **{f"{module}.object": standin("builtins.object") for module in ("builtins", "__builtin__")},
    **{f"{module}._reconstructor": lambda kind, *rest: kind() for module in ("copy_reg", "copyreg")},
    "_codecs.encode": encode_text,
    "numpy.dtype": DtypeStandin,
    "numpy.ndarray": ArrayStandin,
    **{f"numpy.{core}.multiarray._reconstruct": _reconstruct_array for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray.scalar": array_scalar for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": array_of for core in ("core", "_core")},
}
"""What any model file may name."""
OBJECTS = {f"numpy.{core}.multiarray._reconstruct": _reconstruct_objects for core in ("core", "_core")}
"""Beside these, what a file of an array of objects may name."""


class ListUnpickler(INTERPRETER):
    """Reads one pickle with the names of a list.

    Args:
        file: at the start of the pickle.
        names: "module.name" to stand-in.
        families: beginnings of names all of which become plain stand-ins.
        persistent: makes what a persistent identifier stands for; None refuses them.
        encoding: of Python 2's strings.
        room: bytes that arrays may take in all.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(INTERPRETER.dispatch)

    def __init__(
        self,
        file: io.BufferedIOBase,
        names: Names,
        families: tuple[str, ...] = (),
        persistent: Callable[[Any], Any] | None = None,
        encoding: str = "ASCII",
        room: int = ROOM,
    ) -> None:
        super().__init__(file, fix_imports=False, encoding=encoding)
        self.steps, self._room = 0, room
        self._names = names
        self._families = families
        self._persistent = persistent
        self._made: dict[str, Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name.

        Raises:
            RefusedError: it is not on the list.
        """
        full = f"{module}.{name}"
        if full in self._names:
            return self._names[full]
        if not full.startswith(self._families or ("\0",)):
            raise RefusedError(f"“{full:.80}”")
        return self._made.setdefault(full, standin(full))

    def persistent_load(self, pid: Any) -> Any:
        """What an identifier stands for."""
        if self._persistent is None:
            raise RefusedError("something outside the file")
        return self._persistent(pid)

    def get_extension(self, code: int) -> None:
        """Extension codes name what is registered in this program: never."""
        raise RefusedError("an extension code")

    def load_build(self) -> None:
        """States go to stand-ins alone, so that a file cannot change the stand-ins' classes and functions."""
        state = self.stack.pop()
        made = self.stack[-1]
        if isinstance(made, Standin):
            made.absorb(state)
            self._take(getattr(made, "found", None))
        elif not isinstance(made, (OrderedDict, Fields)):  # a state dict's version numbers are not needed
            raise RefusedError(f"a state for {type(made).__name__}")

    def load_reduce(self) -> None:
        """What a name makes of its arguments."""
        super().load_reduce()
        self._take(self.stack[-1])

    def _take(self, made: Any) -> None:
        """Count what an array takes."""
        if isinstance(made, np.ndarray):
            self._room -= made.nbytes
            if self._room < 0:
                raise RefusedError("more memory than its size explains")

    def load_dict(self) -> None:
        """A dict of what lies on the stack."""
        items = self.pop_mark()  # first: it changes the stack
        self.stack.append(_pairs(items))

    def load_setitem(self) -> None:
        """One item of a dict."""
        value, key = self.stack.pop(), self.stack.pop()
        _mapping(self.stack[-1])[plain_key(key)] = value

    def load_setitems(self) -> None:
        """Some items of a dict."""
        items = self.pop_mark()
        _mapping(self.stack[-1]).update(_pairs(items))

    def load_additems(self) -> None:
        """Members of a set."""
        members = self.pop_mark()
        if not isinstance(self.stack[-1], set):
            raise RefusedError("members of what is no set")
        self.stack[-1].update(plain_set(members))

    def load_frozenset(self) -> None:
        """A set; that it is frozen does not matter here."""
        members = self.pop_mark()
        self.stack.append(plain_set(members))

    def load_bytearray8(self) -> None:
        """Bytes that may change; Python's own clears as much memory as the file says before it reads."""
        (size,) = struct.unpack("<Q", self.read(8))
        data = self.read(size) if size <= sys.maxsize else b""
        if len(data) != size:
            raise EOFError("bytes are missing")
        self.append(bytearray(data))

    def load_frame(self) -> None:
        """A frame only says how much to read at once, and may say anything."""
        self.read(8)

    dispatch[pickle.FRAME[0]] = load_frame
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8
    dispatch[pickle.DICT[0]] = load_dict
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.ADDITEMS[0]] = load_additems
    dispatch[pickle.FROZENSET[0]] = load_frozenset


def _counted(step: Callable[[Any], None]) -> Callable[[Any], None]:
    """A step of a pickle's program that counts itself."""

    def counted(reader: Any) -> None:
        reader.steps += 1
        if reader.steps > MOST_STEPS:
            raise RefusedError(f"more than {MOST_STEPS:,} steps")
        step(reader)

    return counted


ListUnpickler.dispatch.update({code: _counted(step) for code, step in ListUnpickler.dispatch.items()})


def _pairs(items: list) -> dict:
    return {plain_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def _mapping(found: Any) -> dict:
    if not isinstance(found, dict):
        raise RefusedError("items of what is no dict")
    return found


def read_pickle(
    data: bytes | io.BufferedIOBase,
    path: Path,
    names: Names = BASIC,
    families: tuple[str, ...] = (),
    persistent: Callable[[Any], Any] | None = None,
    encoding: str = "ASCII",
) -> Any:
    """Read one pickle; arrays come out as arrays, everything else as Python's plain types and stand-ins.

    Args:
        data: the bytes, or a file at the pickle's start.
        path: for messages.
        names, families, persistent, encoding: see `ListUnpickler`.
    Raises:
        ModelFileError: it asks for what is not on the list, or is damaged.
    """
    file = io.BytesIO(data) if isinstance(data, bytes) else data
    try:
        here = file.tell()
        room = COPIES * (file.seek(0, io.SEEK_END) - here) + ROOM
        file.seek(here)
        found = ListUnpickler(file, names, families, persistent, encoding, room).load()
    except RefusedError as error:
        raise ModelFileError(f"The file {path} asks for {error}, which no model file needs.", CURE) from error
    except ModelFileError:
        raise
    except Exception as error:  # whatever damaged bytes can bring about
        reason = str(error)[:120] or type(error).__name__
        raise ModelFileError(f"The file {path} is damaged or no pickle ({reason}).", DAMAGED) from error
    return with_arrays(found)


def with_arrays(found: Any) -> Any:
    """The same with arrays in place of their stand-ins, down through dicts, lists, tuples and states."""
    seen: dict[int, Any] = {}
    found = _swapped(found)
    pending = [found]
    while pending:  # each container once: the file may hold circles
        item = pending.pop()
        if id(item) in seen or not isinstance(item, (dict, list, Standin)):
            if isinstance(item, tuple) and id(item) not in seen:
                seen[id(item)] = item
                pending.extend(item)
            continue
        seen[id(item)] = item
        if isinstance(item, Standin):
            item.state = _swapped(item.state)
            item.arguments = tuple(_swapped(value) for value in item.arguments)
            pending.extend((item.state, *item.arguments))
            continue
        for key, value in list(item.items() if isinstance(item, dict) else enumerate(item)):
            item[key] = _swapped(value)
            pending.append(item[key])
    return found


def _swapped(value: Any) -> Any:
    if isinstance(value, tuple) and any(isinstance(part, ArrayStandin) for part in value):
        return tuple(_swapped(part) for part in value)
    for _ in range(MOST_NESTED):  # an array of objects may hold an array
        if not isinstance(value, ArrayStandin) or value.found is None:
            break
        value = value.found
    return value
