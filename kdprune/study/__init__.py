"""A study on disk: where its files lie, and how its tables, images and networks are read."""
