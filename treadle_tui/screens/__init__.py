"""One file per screen or modal. A modal is a `ModalScreen[T]`: it returns a value, and its opener acts."""
