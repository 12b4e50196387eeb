"""An interactive picture: five methods on a surface, with their rates, in JavaScript."""
