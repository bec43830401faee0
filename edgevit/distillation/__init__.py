"""Training with a teacher's predictions as targets."""
