"""`python -m anomgan`."""

from anomgan.cli.app import main

main()
