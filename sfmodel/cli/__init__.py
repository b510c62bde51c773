"""The ``sfmodel`` command: each command parses its options, makes one library call, and prints the result.

Exit codes: 0 done, 1 done but something was not made (a sweep's run), 2 usage or input error, 130 interrupted.
Everything heavy is imported inside the commands, so that ``sfmodel --help`` answers at once.
"""

from sfmodel.cli.group import main

from sfmodel.cli import training, measuring, following, experiments  # isort: skip  # in the order in which --help lists them

__all__ = ["experiments", "following", "main", "measuring", "training"]
