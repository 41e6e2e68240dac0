"""Bills of providers: what they charged, against what our record says."""
