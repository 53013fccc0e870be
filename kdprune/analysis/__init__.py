"""What follows from the sweeps: DataFrame to DataFrame, without torch."""
