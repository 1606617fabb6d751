"""`python -m openmie` is the command `openmie`."""

from openmie.cli import main

if __name__ == "__main__":
    main()
