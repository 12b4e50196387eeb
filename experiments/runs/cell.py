"""A cell: what determines one result, by name; all of it can be written as JSON."""

from typing import Any, TypeAlias

Cell: TypeAlias = dict[str, Any]
