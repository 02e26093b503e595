"""Observer for pentad: lowers the learning rate, or stops, when the loss spikes."""
