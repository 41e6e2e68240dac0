"""Rules over events: Sigma YAML, read by pySigma and compiled to expressions over the columns of a frame."""
