"""What ``edgevit recommend`` weighs: published results, predictions for a device, and the user's own runs."""
