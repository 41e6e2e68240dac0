"""Detection over usage deltas: from what segments added to findings, the same in whatever order it comes."""
