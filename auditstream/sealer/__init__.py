"""The log as files: reads recorded leaves, writes tiles and bundles, signs checkpoints, and cannot fork."""
