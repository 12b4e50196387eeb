"""A cell: what determines one result, by name; all of it can be written as JSON."""

Cell = dict[str, object]
