"""Where state is kept: every change is a verb over a `Unit`, for SQLite and for memory alike. `protocol` is what a user may ask."""
