"""The pictures of a report, one subject each."""
