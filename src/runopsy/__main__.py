"""python -m runopsy."""

from runopsy.cli import main

main()
