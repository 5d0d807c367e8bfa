"""The command line: one file per group of verbs, imported when a verb is asked for. Never imports Textual."""
