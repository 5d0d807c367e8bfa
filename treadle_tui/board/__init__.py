"""What the screen shows, without a screen: rows, cells, counts, cursor, and text made safe to draw. Never imports Textual."""
