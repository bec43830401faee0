"""The command line: one file per command, each of them parse, call, render, exit."""
