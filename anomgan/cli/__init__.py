"""The `anomgan` command: one file per verb, no logic of its own."""
