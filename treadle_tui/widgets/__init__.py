"""What is drawn. Widgets show board data and post messages; they never touch the engine."""
