"""The words that a setting may have, where it may have only some: what a message about another word must name."""

import re
from typing import Any

import msgspec.inspect as types


def allowed_values(root: Any, key: str) -> tuple[str, ...]:
    """Of the setting at ``key``, such as ``policy.triggers[0]``, in files of the type ``root``; none where any word goes."""
    found = types.type_info(root)
    for step in re.findall(r"\[[^]]*\]|[^.\[\]]+", key):
        found = _within(found, step)
    return tuple(sorted(str(value) for each in _each(found) if isinstance(each, types.LiteralType) for value in each.values))


def _within(found: types.Type, step: str) -> types.Type:
    for each in _each(found):
        if isinstance(each, types.StructType):
            for field in each.fields:
                if field.encode_name == step:
                    return field.type
        elif isinstance(each, types.DictType):
            return each.value_type
        elif isinstance(each, types.ListType | types.VarTupleType) and step.startswith("["):
            return each.item_type
    return types.AnyType()


def _each(found: types.Type) -> tuple[types.Type, ...]:
    return found.types if isinstance(found, types.UnionType) else (found,)
