"""Tables of any size and kind: learned rightly, in how much time and memory, next to others."""
