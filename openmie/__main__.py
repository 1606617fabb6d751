"""`python -m openmie` is the command `openmie`."""

from openmie.cli.application import main

if __name__ == "__main__":
    main()
