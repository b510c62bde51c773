"""``python -m sfmodel`` is ``sfmodel``: ``torchrun`` starts modules."""

from sfmodel.cli import main

if __name__ == "__main__":
    main()
