"""The ``sfdata`` command: each command parses its options, makes one library call, and prints the result.

Exit codes: 0 done, 1 done but something was skipped (only with ``--strict``) or a store is not valid, 2 usage or input
error. Everything heavy is imported inside the commands, so that ``sfdata --help`` answers at once.
"""

from sfdata.cli.group import JSON, PipelineGroup, main

from sfdata.cli import fonts, making, corpora, checking, handing  # isort: skip  # in the order in which --help lists them

__all__ = ["JSON", "PipelineGroup", "checking", "corpora", "fonts", "handing", "main", "making"]
