"""The network: loaded with its weights, and captured as a program."""
