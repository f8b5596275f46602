"""The `anomgan` command line: one file per command, with its options and messages."""
