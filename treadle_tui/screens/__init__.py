"""One file per screen or modal. A modal is a `Modal[T]`: it returns a value, and its opener acts."""
