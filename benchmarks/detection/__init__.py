"""How good the detectors are: one fixed configuration on public labelled data, by published scoring rules."""
