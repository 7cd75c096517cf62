"""From a finished search to a decision about production."""
