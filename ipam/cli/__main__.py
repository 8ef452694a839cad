"""`python -m ipam.cli`: the same as `ipam`."""

from ipam.cli import main

main()
