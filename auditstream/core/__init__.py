"""What every room shares: errors, settings, clock, ids, metric names and the ports between rooms."""
