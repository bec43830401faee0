"""Which recipes are tried, and what is done to a program before export so that int8 loses less; for all runtimes."""
