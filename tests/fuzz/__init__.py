"""``make fuzz``: what the readers of files do with what nobody wrote.

A case is a valid file in which something was changed. What a reader makes of it is a result, or one
of the errors and warnings that it is documented to give; within seconds, without much memory, and
without a file outside of its folder.
"""
