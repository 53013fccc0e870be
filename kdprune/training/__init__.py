"""The training loop and what it is made of. A task tells it the loss; it knows no method."""
