"""The door for forges: what they deliver is signed, and believed to be a hint only."""
