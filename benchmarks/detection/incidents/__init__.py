"""Traffic with planted incidents that no detector was tuned on, through the whole chain of detection."""
