"""The `outlast` command: reads sessions, never writes them."""
