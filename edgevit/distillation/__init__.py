"""Training a student on the answers of a teacher."""
