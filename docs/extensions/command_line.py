"""The page of the command line, from the help texts of its commands."""

from typing import Any

import typer.main

from tfadaopt.experiments.cli.commands import app


def page() -> str:
    """What ``tfadaopt --help`` and the help of each command say, on one page."""
    program: Any = typer.main.get_command(app)
    text = "Command line\n============\n\n"
    text += "``tfadaopt COMMAND --help`` says the same; :doc:`/manual/command-line` says more.\n"
    for name, command in program.commands.items():
        title = f"tfadaopt {name}"
        text += f"\n{title}\n{'-' * len(title)}\n\n{_plain(command.help)}\n\n"
        rows = [_row(parameter) for parameter in command.params]
        if rows:
            text += ".. list-table::\n   :widths: 30 70\n\n"
            text += "".join(f"   * - {left}\n     - {right}\n" for left, right in rows)
    return text


def _row(parameter: Any) -> tuple[str, str]:
    is_option = parameter.param_type_name == "option"
    metavar = parameter.metavar or parameter.name.upper()
    if not is_option:
        name = f"``{metavar}``"
    elif parameter.is_flag:
        name = ", ".join(f"``{option}``" for option in parameter.opts)
    else:
        name = f"``{parameter.opts[-1]} {metavar}``"
    words = _plain(parameter.help or "")
    default = parameter.default
    if default not in (None, False, (), [], "") and not callable(default):
        words += f" Default ``{default}``."
    return name, words


def _plain(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("*", "\\*").replace("|", "\\|").split())
