"""`python -m imagegen_client`: the `imagegen` command."""

from imagegen_client.cli import main

main()
