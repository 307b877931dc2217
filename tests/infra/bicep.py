"""Bicep files as plain values, read with the grammar of tree-sitter: literals as they are, everything else as its text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bicep.language()))
_ESCAPES = {"\\'": "'", "\\\\": "\\", "\\$": "$", "\\n": "\n"}


class Expression(str):
    """What is known only when the template is deployed; the text of it."""


@dataclass(frozen=True)
class Choice:
    """One of these, by a condition."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Declared:
    """A resource or a module. `type` of a module is its file; `looped` and `conditional` say how many of it there may be."""

    symbol: str
    type: str
    version: str
    body: dict[str, Any]
    existing: bool = False
    looped: bool = False
    conditional: bool = False

    @property
    def properties(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body.get("properties", {})
        return found


@dataclass(frozen=True)
class Parameter:
    """`default` is None where there is none; `type` its text."""

    type: str
    decorators: dict[str, Any]
    default: Any
    required: bool


class Template:
    """A file. Raises AssertionError with line and column for what the grammar does not know."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = _parse(path.read_bytes(), path.name)
        self.resources = {item.symbol: item for item in _resources(self.root)}
        self.modules = {item.symbol: item for item in _modules(self.root)}
        self.parameters = dict(_parameters(self.root))
        self.variables = {_symbol(node): value(node.named_children[-1]) for node in _all(self.root, "variable_declaration")}
        self.outputs = {_symbol(node): value(node.named_children[-1]) for node in _all(self.root, "output_declaration")}

    def of_type(self, kind: str) -> list[Declared]:
        return [item for item in self.resources.values() if item.type == kind and not item.existing]


def assignments(path: Path) -> dict[str, Any]:
    """The values of a .bicepparam file: the grammar has none of its own for them, but they are those of variables."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("using ")]
    as_bicep = "\n".join(f"var{line[5:]}" if line.startswith("param ") else line for line in lines)
    root = _parse(as_bicep.encode(), path.name)
    return {_symbol(node): value(node.named_children[-1]) for node in _all(root, "variable_declaration")}


def value(node: Node) -> Any:
    """A literal, `Choice`, or the text of an `Expression`. A loop is a list of the one body that it repeats."""
    match node.type:
        case "string":
            return _string(node)
        case "number":
            return int(_text(node))
        case "boolean":
            return _text(node) == "true"
        case "null":
            return None
        case "array":
            return [value(item) for item in _items(node)]
        case "object":
            return dict(_pairs(node))
        case "for_statement":
            body = node.child_by_field_name("body")
            assert body is not None
            return [value(body)]
        case "parenthesized_expression":
            return value(_items(node)[0])
        case "ternary_expression":
            branches = [node.child_by_field_name(name) for name in ("consequence", "alternative")]
            return Choice(tuple(value(branch) for branch in branches if branch is not None))
        case _:
            return Expression(_text(node))


def _parse(source: bytes, name: str) -> Node:
    root = _PARSER.parse(source).root_node
    wrong = [f"{name}:{line + 1}:{column + 1} {text!r}" for line, column, text in _errors(root)]
    assert not wrong, wrong
    return root


def _errors(node: Node) -> Iterator[tuple[int, int, str]]:
    if node.type == "ERROR" or node.is_missing:
        yield node.start_point.row, node.start_point.column, _text(node).partition("\n")[0]
    for child in node.children:
        yield from _errors(child)


def _resources(node: Node, parent: Declared | None = None) -> Iterator[Declared]:
    for child in node.named_children:
        if child.type != "resource_declaration":
            yield from _resources(child, parent)
            continue
        declared = _declared(child, parent)
        yield declared
        yield from _resources(child.named_children[-1], declared)


def _modules(root: Node) -> Iterator[Declared]:
    for node in _all(root, "module_declaration"):
        yield _declared(node, None)


def _declared(node: Node, parent: Declared | None) -> Declared:
    kind = next(value(child) for child in node.named_children if child.type == "string")
    name, _, version = kind.partition("@")
    if parent is not None:
        name, version = f"{parent.type}/{name}", version or parent.version
    body, looped, conditional = node.named_children[-1], False, False
    while body.type != "object":
        looped, conditional = looped or body.type == "for_statement", conditional or body.type == "if_statement"
        body = body.named_children[-1]
    existing = any(child.type == "existing" or _text(child) == "existing" for child in node.children)
    return Declared(_symbol(node), name, version, dict(_pairs(body)), existing, looped, conditional)


def _parameters(root: Node) -> Iterator[tuple[str, Parameter]]:
    decorators: dict[str, Any] = {}
    for node in root.named_children:
        if node.type == "decorators":
            for call in _all(node, "call_expression"):
                arguments = call.child_by_field_name("arguments")
                assert arguments is not None
                decorators[_symbol(call)] = [value(item) for item in _items(arguments)]
            continue
        if node.type == "parameter_declaration":
            given = _items(node)
            required = len(given) == 2
            default = None if required else value(given[-1])
            yield _symbol(node), Parameter(_text(given[1]), decorators, default, required)
        if node.type != "comment":
            decorators = {}


def _pairs(node: Node) -> Iterator[tuple[str, Any]]:
    for pair in node.named_children:
        if pair.type == "object_property" and pair.named_children[0].type != "resource_declaration":
            key, given = _items(pair)
            yield (value(key) if key.type == "string" else _text(key)), value(given)


def _string(node: Node) -> str:
    if _all(node, "interpolation"):
        return Expression(_text(node)[1:-1])
    text = _text(node)[1:-1]
    for escaped, plain in _ESCAPES.items():
        text = text.replace(escaped, plain)
    return text


def _all(node: Node, kind: str) -> list[Node]:
    found = [node] if node.type == kind else []
    return found + [item for child in node.named_children for item in _all(child, kind)]


def _items(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type != "comment"]


def _symbol(node: Node) -> str:
    return _text(next(child for child in node.named_children if child.type == "identifier"))


def _text(node: Node) -> str:
    return (node.text or b"").decode()
