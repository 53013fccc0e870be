"""The study's figures, and the tables behind them."""
