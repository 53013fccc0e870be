"""How a stage is run: warm or cold, recorded, followed, mended; none of it decides a result."""
