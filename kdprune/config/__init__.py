"""The parameters of a study: read, checked, expanded into its grid. Imports the ground only."""
