"""Watches over the store: each looks at one way to change what was recorded, and says what it saw."""
