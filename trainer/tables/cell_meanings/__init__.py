"""What the texts of a column mean: missing values, numbers, dates, or texts."""
