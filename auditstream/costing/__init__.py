"""What costs come to, for whom: sums, shares, conversion, allocation. Pure: no clock, no store."""
