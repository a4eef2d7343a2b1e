"""Named ways to turn a column of source text into a column of the model, exactly.

Each module registers its transforms; whoever adds a module edits no list.
"""

from __future__ import annotations

from mappings.transforms.registry import Converted, Option, Options, Transform, find, names, registered, transform

__all__ = [
    "Converted",
    "Option",
    "Options",
    "Transform",
    "find",
    "names",
    "registered",
    "transform",
]
