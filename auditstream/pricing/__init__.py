"""What an event costs: prices at the time of the event, exact decimals, and no price rather than a wrong one.

The domain is pure: functions over frames, no clock, no network. `pricer` is the way in; it asks a price book
(`catalogue`) for price cards (`cards`), takes a call's meters from its counts (`usage`), and writes cost
lines (`lines`). What producers priced themselves is kept (`reported`).
"""
