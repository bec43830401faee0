"""What a gate found, for the systems that run it: JUnit XML, SARIF, GitLab code quality, Markdown and annotations of GitHub."""
