"""The store in one SQLite file: a writer that owns its connection and its thread, and readers that never wait for it."""
