"""CSV files: encoding, dialect, header, lines, and their reading by pandas."""
