"""One router a protocol, with the replies that they share. Knows no middleware."""
