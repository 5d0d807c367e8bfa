"""The demonstration: a pipeline with something of everything, half a morning into its day. Knows the engine, and no screen."""
