"""Words and pictures from tables: never imports torch."""
