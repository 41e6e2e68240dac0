"""From a segment to a block: decode, attribute, price, mark duplicates, commit to leaves."""
