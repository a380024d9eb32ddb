"""The `outlast` command: reads sessions and their files, never writes them."""
