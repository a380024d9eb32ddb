"""Open Interpreter's loop and what it is given instead of its own: model client, reply parser, languages.

Only this package imports `interpreter` and `openai`; only `frozen` imports Open Interpreter itself.
"""
