"""What a trial finds out about its model, always on rows that the model has not seen."""
