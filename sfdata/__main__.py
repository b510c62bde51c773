"""``python -m sfdata`` is ``sfdata``."""

from sfdata.cli import main

if __name__ == "__main__":
    main()
