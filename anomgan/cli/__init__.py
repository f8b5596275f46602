"""The `anomgan` command: one file per verb, with its options, its work and its words."""
