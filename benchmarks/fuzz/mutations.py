"""Strategies that damage valid files: their bytes, their text, their tree of values."""

from __future__ import annotations

import copy
import struct
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

# Sizes and offsets that programs get wrong, in the widths that formats have.
_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000)
_LARGE = (0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
_FIELDS = [
    struct.pack(f"{order}{code}", number & (256 ** struct.calcsize(code) - 1))
    for number in (*_NUMBERS, *_LARGE)
    for order in "<>"
    for code in "BHIQ"
]
# Values of JSON and YAML where others stood.
_ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 0.5, -0.0, 1e308, 5e-324),
    *(float("nan"), float("inf"), float("-inf")),
    *(2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63)),
    *(10**30, 10**400, -(10**400)),
    *("", " ", "0", "-1", "nan", "1e999", "None", "\0", "\ud800", "a\nb", "\u202e"),
    *("../../etc/passwd", "/etc/passwd", "C:\\x", "file:///etc/passwd", "http://x"),
    *("<script>alert(1)</script>", "=1+1", "'; --", "%s%n", "x" * 20_000),
    *([], {}, [[]], [None], {"": None}, {"class_name": "Lambda"}),
]


def mutated_bytes(draw: Draw, data: bytes) -> bytes:
    """`data` with one to four changes: bits, fields, cuts, copies, foreign pieces."""
    found = bytearray(data)
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 4)))):
        size = len(found)
        # The heads of files say most of what can be a lie.
        near = draw(st.booleans())
        end = min(size, 256) if near else size
        at = draw(st.integers(0, end)) if end else 0
        kind = draw(
            st.sampled_from(
                ["bit", "field", "field", "byte", "cut", "end", "copy", "insert"]
            )
        )
        if kind == "bit" and at < size:
            found[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "byte" and at < size:
            found[at] = draw(st.integers(0, 255))
        elif kind == "field":
            value = draw(st.sampled_from(_FIELDS))
            found[at : at + len(value)] = value
        elif kind == "cut":
            del found[at : at + draw(st.integers(1, 64))]
        elif kind == "end":
            del found[at:]
        elif kind == "copy":
            piece = bytes(found[at : at + draw(st.integers(1, 256))])
            to = draw(st.integers(0, size))
            found[to:to] = piece * draw(st.sampled_from((1, 1, 2, 64)))
        elif kind == "insert":
            found[at:at] = draw(st.binary(min_size=1, max_size=16))
    return bytes(found)


def mutated_text(draw: Draw, text: str, pieces: tuple[str, ...]) -> str:
    """`text` with some of its words or lines exchanged for `pieces`."""
    for _ in range(draw(st.integers(1, 4))):
        lines = text.split("\n")
        at = draw(st.integers(0, len(lines) - 1))
        piece = draw(st.sampled_from(pieces))
        kind = draw(st.sampled_from(("line", "word", "insert", "end", "swap", "drop")))
        if kind == "line":
            lines[at] = piece
        elif kind == "insert":
            lines[at:at] = [piece]
        elif kind == "drop":
            del lines[at]
        elif kind == "swap":
            to = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[to] = lines[to], lines[at]
        else:
            line = lines[at]
            place = draw(st.integers(0, len(line)))
            length = len(line) if kind == "end" else draw(st.integers(0, 12))
            lines[at] = line[:place] + piece + line[place + length :]
        text = "\n".join(lines) or " "
    return text


def mutated_tree(draw: Draw, tree: Any, odd: list[Any] | None = None) -> Any:
    """A tree of dicts and lists with up to four of its places changed."""
    holder = [copy.deepcopy(tree)]
    values = _ODD if odd is None else [*_ODD, *odd]
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(holder))
        parent, key = places[draw(st.integers(0, len(places) - 1))]
        kind = draw(st.sampled_from(("odd", "odd", "odd", "number", "drop", "move")))
        kind = "odd" if parent is holder and kind == "drop" else kind
        value = parent[key]
        if kind == "odd":
            parent[key] = copy.deepcopy(draw(st.sampled_from(values)))
        elif kind == "number":
            parent[key] = draw(
                st.one_of(st.integers(), st.floats(), st.integers(-9, 9))
            )
        elif kind == "drop":
            del parent[key]
        else:  # the value of another place
            other, name = places[draw(st.integers(0, len(places) - 1))]
            parent[key] = copy.deepcopy(other[name])
        if kind != "drop" and draw(st.integers(0, 40)) == 0:
            for _ in range(draw(st.sampled_from((50, 2_000)))):
                value = [value]
            parent[key] = value
            break  # too deep to be copied again
    return holder[0]


def _places(tree: Any) -> Any:
    """(container, key) of every value of a tree, without recursion."""
    stack, seen = [tree], 0
    while stack and seen < 20_000:
        node = stack.pop()
        pairs = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in pairs:
            seen += 1
            yield node, key
            if isinstance(value, dict | list):
                stack.append(value)
