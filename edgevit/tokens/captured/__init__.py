"""Token reduction in the captured program of any encoder of softmax-attention blocks."""
